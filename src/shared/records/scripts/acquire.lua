-- acquire(P, account, 'calls' | 'parts', member, most at once, spacing ms, lease ms, members that went well …)
-- -> {'ok', wait ms} | {'busy', ms} | {'parked', ms, why} | {'person', state} | {'circuit', ms}
-- A member `<job>@<run>` takes over the lease of another run of its job: that one then has none to give back.
local account, kind, member = P .. ':account:' .. ARGV[2], ARGV[3], ARGV[4]
local now = now_ms()
-- Given back by whoever takes the next: as `settle` does it.
local leases, circuit = account .. ':leases:' .. kind, account .. ':circuit:' .. kind
local asked = account .. ':asked:' .. kind
if #ARGV > 7 then
  redis.call('ZREM', leases, unpack(ARGV, 8))
  close_circuit(circuit, now)
  -- Giving back and taking in one step, a busy process would never let another one in: who asked in vain goes first.
  if redis.call('DEL', asked) == 1 then return { 'busy', 0 } end
end

local state = redis.call('HGET', account, 'state')
-- Leases of an account that was removed would stay for ever.
if not state then return { 'person', 'removed' } end
-- A login is itself made of calls: it asks as `login:…` and is let through.
if state ~= 'ready' and string.sub(member, 1, 6) ~= 'login:' then return { 'person', state } end

local parked = redis.call('PTTL', account .. ':parked')
if parked > 0 then return { 'parked', parked, redis.call('GET', account .. ':parked') } end

local open = redis.call('HMGET', circuit, 'until', 'probe')
local shut = math.max(tonumber(open[1] or 0), tonumber(open[2] or 0)) - now
if shut > 0 then return { 'circuit', shut } end

redis.call('ZREMRANGEBYSCORE', leases, '-inf', now)
local job = string.match(member, '^.+@')
local before
for _, other in ipairs(job and redis.call('ZRANGE', leases, 0, -1) or {}) do
  if string.sub(other, 1, #job) == job then before = other end
end
if not before and redis.call('ZCARD', leases) >= tonumber(ARGV[5]) then
  redis.call('SET', asked, 1, 'PX', 100)
  return { 'busy', 0 }
end
if before then redis.call('ZREM', leases, before) end

local wait = 0
local spacing = tonumber(ARGV[6])
if spacing > 0 then
  local last = tonumber(redis.call('GET', account .. ':last:' .. kind) or 0)
  wait = math.max(0, last + spacing - now)
  redis.call('SET', account .. ':last:' .. kind, now + wait, 'PX', spacing + 60000)
end
-- Half open: the one that gets here goes first, the others wait for how it fares.
if open[1] then redis.call('HSET', circuit, 'probe', now + 5000) end
redis.call('ZADD', leases, now + wait + tonumber(ARGV[7]), member)
return { 'ok', wait }
