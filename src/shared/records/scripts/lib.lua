-- What the scripts share; put in front of each of them. KEYS[1] only routes to the slot: every key has the
-- same hash tag. ARGV[1] is the key prefix. RETAIN_EVENTS is set in front of this.
local P = ARGV[1]

local ENDED = { completed = true, skipped = true, failed = true, cancelled = true }

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function upload_key(id)
  return P .. ':upload:' .. id
end

local function owner_key(destination)
  return P .. ':destination:' .. destination
end

local function queue_key(destination)
  return P .. ':line:' .. destination
end

-- Score 0 everywhere: ids begin with their time, so the order of the members is the order of acceptance.
local function index_state(account, id, from, to)
  if from then
    redis.call('ZREM', P .. ':uploads:state:' .. from, id)
    redis.call('ZREM', P .. ':uploads:account:' .. account .. ':state:' .. from, id)
  end
  if to then
    redis.call('ZADD', P .. ':uploads:state:' .. to, 0, id)
    redis.call('ZADD', P .. ':uploads:account:' .. account .. ':state:' .. to, 0, id)
  end
end

local function log_event(id, state)
  redis.call('XADD', P .. ':events', 'MAXLEN', '~', RETAIN_EVENTS, '*', 'upload', id, 'state', state)
end

-- Lets dispatch see an upload whose turn at its destination has come.
local function offer(id)
  local record = redis.call('HMGET', upload_key(id), 'account', 'priority', 'seq')
  local score = tonumber(record[2]) * 1099511627776 + tonumber(record[3])
  redis.call('ZADD', P .. ':waiting:' .. record[1], score, id)
  redis.call('ZADD', P .. ':accounts:waiting', 'NX', 0, record[1])
  redis.call('PUBLISH', P .. ':wake', record[1])
end

local function withdraw(id, account)
  redis.call('ZREM', P .. ':waiting:' .. account, id)
  if redis.call('ZCARD', P .. ':waiting:' .. account) == 0 then
    redis.call('ZREM', P .. ':accounts:waiting', account)
  end
end

-- Whether the one there in line goes before this one: who runs goes first, then who was accepted first.
local function goes_before(other, seq)
  local record = redis.call('HMGET', upload_key(other), 'state', 'seq', 'account')
  return record[1] ~= 'queued' or tonumber(record[2]) < seq, record[3]
end

-- Stands in line for its destination: first come, first served. Nearly always that is at the end of the line.
local function stand_in_line(id, destination)
  local line = queue_key(destination)
  local seq = tonumber(redis.call('HGET', upload_key(id), 'seq'))
  local at = redis.call('LLEN', line)
  local behind, account
  while at > 0 do
    local other = redis.call('LINDEX', line, at - 1)
    local before, its = goes_before(other, seq)
    if before then break end
    behind, account, at = other, its, at - 1
  end
  if not behind then
    redis.call('RPUSH', line, id)
  else
    redis.call('LINSERT', line, 'BEFORE', behind, id)
    if at == 0 then withdraw(behind, account) end
  end
  if at == 0 then offer(id) end
end

-- Gives the destination up, and its turn to the next in line.
local function leave_line(id, destination)
  if redis.call('GET', owner_key(destination)) == id then redis.call('DEL', owner_key(destination)) end
  redis.call('LREM', queue_key(destination), 1, id)
  local head = redis.call('LINDEX', queue_key(destination), 0)
  if head and redis.call('HGET', upload_key(head), 'state') == 'queued' then offer(head) end
end

-- Where a name leads: to what it is bound to, else to the place that stands for it until then.
local function place_of_name(binding, unbound)
  local bound = binding ~= '' and redis.call('GET', P .. ':binding:' .. binding)
  return bound and cjson.decode(bound).key or unbound
end

-- The name leads elsewhere: so do those who wait for it. Who has a session stays with the place that it is for.
local function move_line(binding, from, to)
  if from == to then return end
  for _, id in ipairs(redis.call('LRANGE', queue_key(from), 0, -1)) do
    local record = redis.call('HMGET', upload_key(id), 'binding', 'state', 'session', 'account')
    if record[1] == binding and record[2] == 'queued' and not record[3] then
      redis.call('LREM', queue_key(from), 1, id)
      withdraw(id, record[4])
      redis.call('HSET', upload_key(id), 'destination', to)
      stand_in_line(id, to)
    end
  end
  local head = redis.call('LINDEX', queue_key(from), 0)
  if head and redis.call('HGET', upload_key(head), 'state') == 'queued' then offer(head) end
end

-- Everything that comes with an end state: nobody owns, waits or runs any more.
local function end_upload(id, account, destination, now)
  withdraw(id, account)
  leave_line(id, destination)
  redis.call('SREM', P .. ':active:' .. account, id)
  redis.call('ZREM', P .. ':running', id)
  redis.call('ZREM', P .. ':deadlines', id)
  redis.call('ZADD', P .. ':ended', now, id)
  redis.call('HSET', upload_key(id), 'endedAt', now)
  -- Whoever was late to say what is wrong with it: it ended otherwise.
  redis.call('HDEL', upload_key(id), 'waitingFor', 'failure', 'restart')
  local key = upload_key(id)
  -- Secrets of a session that nobody will use any more.
  local tickets = key .. ':tickets:' .. (redis.call('HGET', key, 'epoch') or '')
  redis.call('UNLINK', key .. ':runs', key .. ':crashed', tickets)
  redis.call('PUBLISH', P .. ':wake', account)
end

local function change_state(id, account, destination, from, to, now)
  if from == to then return end
  index_state(account, id, from, to)
  redis.call('HSET', upload_key(id), 'state', to)
  log_event(id, to)
  if ENDED[to] then end_upload(id, account, destination, now) end
end

-- Success closes a circuit, unless that was opened since by one that failed later: then its pause stands.
local function close_circuit(circuit, now)
  local shut_until = tonumber(redis.call('HGET', circuit, 'until') or 0)
  if shut_until <= now then redis.call('DEL', circuit) end
end
