-- dispatch(P, most, record version) -> flat list of id, run, file name: uploads that may run from now on
-- Fair over accounts (the one served longest ago first), then by priority and order of acceptance.
local now = now_ms()
local most = tonumber(ARGV[2])
local started = {}

local function may_serve(account)
  local record = redis.call('HMGET', P .. ':account:' .. account, 'state', 'maxActiveUploads')
  if record[1] ~= 'ready' then return false end
  if redis.call('EXISTS', P .. ':account:' .. account .. ':parked') == 1 then return false end
  return redis.call('SCARD', P .. ':active:' .. account) < tonumber(record[2] or 0)
end

local function start(account, id)
  local key = upload_key(id)
  local destination = redis.call('HGET', key, 'destination')
  redis.call('ZREM', P .. ':waiting:' .. account, id)
  redis.call('SET', owner_key(destination), id)
  redis.call('SADD', P .. ':active:' .. account, id)
  redis.call('ZADD', P .. ':running', now, id)
  change_state(id, account, destination, 'queued', 'preparing', now)
  redis.call('HINCRBY', key, 'rev', 1)
  redis.call('HSETNX', key, 'startedAt', now)
  redis.call('HSET', key, 'updatedAt', now)
  started[#started + 1] = id
  started[#started + 1] = tostring(redis.call('HINCRBY', key, 'run', 1))
  started[#started + 1] = redis.call('HGET', key, 'fileName')
end

-- Someone else than an upload may hold the destination for a moment, to remove what is there.
local function is_free(destination, id)
  local owner = redis.call('GET', owner_key(destination))
  return not owner or owner == id
end

-- How many at the head of an account's line were looked at and can not run now. No more than these are passed.
local passed = {}
local MOST_PASSED = 1000

-- The first that may run. One of another format version stays where it is, for who can read it.
local function first_of(account)
  local waiting = P .. ':waiting:' .. account
  local at = passed[account] or 0
  while at < MOST_PASSED do
    local id = redis.call('ZRANGE', waiting, at, at)[1]
    if not id then return nil end
    local record = redis.call('HMGET', upload_key(id), 'state', 'v', 'destination')
    if record[1] ~= 'queued' then redis.call('ZREM', waiting, id)
    elseif record[2] == ARGV[3] and is_free(record[3], id) then return id
    else at = at + 1 end
    passed[account] = at
  end
  return nil
end

local function serve(account)
  if not may_serve(account) then return false end
  local id = first_of(account)
  if not id then
    if redis.call('ZCARD', P .. ':waiting:' .. account) == 0 then
      redis.call('ZREM', P .. ':accounts:waiting', account)
    end
    return false
  end
  start(account, id)
  redis.call('ZADD', P .. ':accounts:waiting', redis.call('INCR', P .. ':served'), account)
  return true
end

local progress = true
while progress and #started < most * 3 do
  progress = false
  for _, account in ipairs(redis.call('ZRANGE', P .. ':accounts:waiting', 0, -1)) do
    if #started < most * 3 and serve(account) then progress = true end
  end
end
return started
