-- transition(P, id, epoch, rev, patch JSON, ledger JSON, ledger cap) -> {'ok', rev, desired, failure, restart, now} | {'stale'} | {'missing'}
-- A value of false in the patch removes the field, true stands for now. A new epoch drops the old one's receipts and tickets.
local id = ARGV[2]
local key = upload_key(id)
local now = now_ms()
local record = redis.call('HMGET', key, 'epoch', 'rev', 'state', 'account', 'destination', 'desired')
if not record[1] then return { 'missing' } end
if record[1] ~= ARGV[3] or record[2] ~= ARGV[4] or ENDED[record[3]] then return { 'stale' } end
local patch = cjson.decode(ARGV[5])
-- The last accepted command wins: who lets it fail has not seen the cancel.
if patch.state == 'failed' and record[6] == 'cancel' then return { 'stale' } end

-- The name means again what it meant before: the place that this upload made for it is gone. Whoever waits for
-- the name waits there.
local function unbind()
  local before = redis.call('HMGET', key, 'bindingBefore', 'binding', 'destination', 'unbound')
  local binding, here = P .. ':binding:' .. before[2], before[3]
  if not before[1] or place_of_name(before[2], '') ~= here then return end
  if before[1] == '' then redis.call('DEL', binding) else redis.call('SET', binding, before[1]) end
  local back = place_of_name(before[2], before[4] or here)
  redis.call('HSET', key, 'destination', back)
  move_line(before[2], here, back)
end

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
    if value == false then redis.call('HDEL', key, field)
    else redis.call('HSET', key, field, value == true and now or value) end
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
      entry.upload = known.upload
      redis.call('LPOP', versions)
    end
  end
  redis.call('LPUSH', versions, cjson.encode(entry))
  redis.call('LTRIM', versions, 0, tonumber(ARGV[7]) - 1)
end
if patch.state then change_state(id, record[4], record[5], record[3], patch.state, now) end
if patch.state and ENDED[patch.state] then
  local bad = patch.state == 'failed' or patch.state == 'cancelled'
  -- One that keeps its session may still turn out to be complete; one whose bytes were read back wrong is.
  local wrong = patch.error and cjson.decode(patch.error).class == 'verify-failed'
  if bad and not wrong and redis.call('HEXISTS', key, 'session') == 0 then unbind() end
  if not bad then redis.call('HDEL', key, 'bindingBefore') end
end
-- What others note does not move the rev: told here, nobody has to read the record again to see it.
local noted = redis.call('HMGET', key, 'desired', 'failure', 'restart')
return { 'ok', redis.call('HINCRBY', key, 'rev', 1), noted[1], noted[2] or '', noted[3] or '', now }
