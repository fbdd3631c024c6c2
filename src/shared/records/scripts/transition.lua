-- transition(P, id, epoch, rev, patch JSON, ledger JSON, ledger cap) -> {'ok', rev} | {'stale'} | {'missing'}
-- A value of false in the patch removes the field. A new epoch drops the old one's receipts and tickets.
local id = ARGV[2]
local key = upload_key(id)
local now = now_ms()
local record = redis.call('HMGET', key, 'epoch', 'rev', 'state', 'account', 'destination')
if not record[1] then return { 'missing' } end
if record[1] ~= ARGV[3] or record[2] ~= ARGV[4] or ENDED[record[3]] then return { 'stale' } end

local patch = cjson.decode(ARGV[5])
if patch.epoch and patch.epoch ~= record[1] then
  redis.call('HINCRBY', key, 'bytesResent', redis.call('HGET', key, 'bytesSent'))
  redis.call('HSET', key, 'bytesSent', 0, 'partsDone', 0)
  redis.call('HDEL', key, 'failure', 'restart')
  for _, what in ipairs({ ':parts:', ':sending:', ':tickets:' }) do
    redis.call('UNLINK', key .. what .. record[1])
  end
end
for field, value in pairs(patch) do
  if field ~= 'state' then
    if value == false then redis.call('HDEL', key, field) else redis.call('HSET', key, field, value) end
  end
end
redis.call('HSET', key, 'updatedAt', now)
-- A step forward is progress: crashes before it were not this upload's doing.
if patch.state and patch.state ~= record[3] then redis.call('DEL', key .. ':crashed') end
if ARGV[6] ~= '' then
  local versions = P .. ':versions:' .. record[4] .. ':' .. record[5]
  local entry = cjson.decode(ARGV[6])
  entry.completedAt = now
  -- Skipped because it is there already: the same version, known by a newer fingerprint.
  local newest = redis.call('LINDEX', versions, 0)
  if newest then
    local known = cjson.decode(newest)
    if known.remoteId == entry.remoteId and known.number == entry.number then
      entry.completedAt = known.completedAt
      redis.call('LPOP', versions)
    end
  end
  redis.call('LPUSH', versions, cjson.encode(entry))
  redis.call('LTRIM', versions, 0, tonumber(ARGV[7]) - 1)
end
if patch.state then change_state(id, record[4], record[5], record[3], patch.state, now) end
return { 'ok', redis.call('HINCRBY', key, 'rev', 1) }
