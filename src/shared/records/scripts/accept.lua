-- accept(P, id, record JSON, binding, idempotency key, body hash, idempotency ttl ms)
-- -> {'accepted', id} | {'repeated', id} | {'conflict', id} | {'no-account'}
local id, binding = ARGV[2], ARGV[4]
local record = cjson.decode(ARGV[3])
local now = now_ms()

if ARGV[5] ~= '' then
  local known = redis.call('GET', P .. ':idempotency:' .. ARGV[5])
  if known then
    local hash, known_id = string.match(known, '^(%S+) (%S+)$')
    -- A key lives no longer than what it stands for.
    if redis.call('EXISTS', upload_key(known_id)) == 1 then
      return { hash == ARGV[6] and 'repeated' or 'conflict', known_id }
    end
  end
end
if redis.call('EXISTS', P .. ':account:' .. record.account) == 0 then return { 'no-account' } end
if redis.call('EXISTS', upload_key(id)) == 1 then return { 'accepted', id } end

if binding ~= '' then
  record.unbound = record.destination
  record.destination = place_of_name(binding, record.unbound)
end
local fields = {}
for field, value in pairs(record) do
  fields[#fields + 1] = field
  fields[#fields + 1] = value
end
redis.call('HSET', upload_key(id), unpack(fields))
redis.call('HSET', upload_key(id), 'state', 'queued', 'rev', 1, 'createdAt', now, 'updatedAt', now,
  'seq', redis.call('INCR', P .. ':accepted'), 'allowedMs', math.max(tonumber(record.deadline) - now, 60000))
redis.call('ZADD', P .. ':uploads', 0, id)
redis.call('ZADD', P .. ':uploads:account:' .. record.account, 0, id)
redis.call('ZADD', P .. ':deadlines', record.deadline, id)
index_state(record.account, id, nil, 'queued')
log_event(id, 'queued')
stand_in_line(id, record.destination)
if ARGV[5] ~= '' then
  redis.call('SET', P .. ':idempotency:' .. ARGV[5], ARGV[6] .. ' ' .. id, 'PX', ARGV[7])
end
return { 'accepted', id }
