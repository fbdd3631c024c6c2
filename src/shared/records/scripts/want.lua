-- want(P, id, 'cancel' | 'retry')
-- -> {'ok', state} | {'missing'} | {'no-account'} | {'ended', state} | {'not-ended', state}
-- The last accepted command wins: what is wanted is a field of its own with a sequence number.
local id, what = ARGV[2], ARGV[3]
local key = upload_key(id)
local now = now_ms()
local record = redis.call('HMGET', key, 'state', 'account', 'destination', 'binding', 'epoch', 'unbound')
local state, account, destination = record[1], record[2], record[3]
if not state then return { 'missing' } end

if what == 'cancel' then
  if ENDED[state] then return { 'ended', state } end
  redis.call('HSET', key, 'desired', 'cancel', 'updatedAt', now)
  redis.call('HINCRBY', key, 'desiredSeq', 1)
  -- One that waits for its retry with a session may have something half-made at the provider.
  if state ~= 'queued' or redis.call('HEXISTS', key, 'session') == 1 then
    redis.call('PUBLISH', P .. ':cancel', id)
    return { 'ok', state }
  end
  change_state(id, account, destination, 'queued', 'cancelled', now)
  redis.call('HINCRBY', key, 'rev', 1)
  return { 'ok', 'cancelled' }
end

if not ENDED[state] then
  -- Taking a cancel back is possible only as long as nobody acted on it.
  return { 'not-ended', state }
end
if state ~= 'failed' and state ~= 'cancelled' then return { 'ended', state } end
if redis.call('EXISTS', P .. ':account:' .. account) == 0 then return { 'no-account' } end
-- An unconfirmed upload keeps its session and its receipts: what it sent may well be complete by now.
if not redis.call('HGET', key, 'session') then
  redis.call('HINCRBY', key, 'bytesResent', redis.call('HGET', key, 'bytesSent'))
  redis.call('HSET', key, 'bytesSent', 0, 'partsDone', 0, 'blob', 0)
  for _, name in ipairs({ ':parts:', ':sending:', ':tickets:' }) do
    redis.call('UNLINK', key .. name .. record[5])
  end
  redis.call('HINCRBY', key, 'epoch', 1)
  -- Its name may mean another place by now.
  destination = place_of_name(record[4], record[6] or destination)
  redis.call('HSET', key, 'destination', destination)
end
redis.call('HDEL', key, 'error', 'failure', 'restart', 'restarts', 'endedAt', 'cleanupSince', 'draft', 'note',
  'bindingBefore')
redis.call('HSET', key, 'desired', 'run', 'updatedAt', now, 'deadline', now + redis.call('HGET', key, 'allowedMs'),
  'seq', redis.call('INCR', P .. ':accepted'))
redis.call('HINCRBY', key, 'desiredSeq', 1)
redis.call('HINCRBY', key, 'rev', 1)
redis.call('ZREM', P .. ':ended', id)
redis.call('DEL', key .. ':crashed')
redis.call('ZADD', P .. ':deadlines', redis.call('HGET', key, 'deadline'), id)
change_state(id, account, destination, state, 'queued', now)
stand_in_line(id, destination)
return { 'ok', 'queued' }
