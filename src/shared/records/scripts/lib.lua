-- What the scripts share; put in front of each of them. KEYS[1] only routes to the slot: every key has the
-- same hash tag. ARGV[1] is the key prefix.
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
  redis.call('XADD', P .. ':events', 'MAXLEN', '~', '10000', '*', 'upload', id, 'state', state)
end

-- Lets dispatch see an upload whose turn at its destination has come.
local function offer(id)
  local record = redis.call('HMGET', upload_key(id), 'account', 'priority', 'seq')
  local score = tonumber(record[2]) * 1099511627776 + tonumber(record[3])
  redis.call('ZADD', P .. ':waiting:' .. record[1], score, id)
  redis.call('ZADD', P .. ':accounts:waiting', 'NX', 0, record[1])
  redis.call('PUBLISH', P .. ':wake', record[1])
end

-- Stands in line for its destination: first come, first served.
local function stand_in_line(id, destination)
  local length = redis.call('RPUSH', queue_key(destination), id)
  if length == 1 then offer(id) end
end

-- Gives the destination up, and its turn to the next in line.
local function leave_line(id, destination)
  if redis.call('GET', owner_key(destination)) == id then redis.call('DEL', owner_key(destination)) end
  redis.call('LREM', queue_key(destination), 1, id)
  local head = redis.call('LINDEX', queue_key(destination), 0)
  if head and redis.call('HGET', upload_key(head), 'state') == 'queued' then offer(head) end
end

local function withdraw(id, account)
  redis.call('ZREM', P .. ':waiting:' .. account, id)
  if redis.call('ZCARD', P .. ':waiting:' .. account) == 0 then
    redis.call('ZREM', P .. ':accounts:waiting', account)
  end
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
  redis.call('HDEL', upload_key(id), 'waitingFor')
  redis.call('UNLINK', upload_key(id) .. ':runs', upload_key(id) .. ':crashed')
  redis.call('PUBLISH', P .. ':wake', account)
end

local function change_state(id, account, destination, from, to, now)
  if from == to then return end
  index_state(account, id, from, to)
  redis.call('HSET', upload_key(id), 'state', to)
  log_event(id, to)
  if ENDED[to] then end_upload(id, account, destination, now) end
end
