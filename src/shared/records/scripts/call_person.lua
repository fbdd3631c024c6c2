-- call_person(P, id, login seq or '', 'ready' | 'any', grace ms, state, reason, methods JSON) -> 1, or 0 for no change
-- The account waits for a person, unless one acted since the login began that needs it. What does not know its
-- login seq is not believed for a while after that. 'ready': first come, first kept.
local key = P .. ':account:' .. ARGV[2]
local record = redis.call('HMGET', key, 'id', 'state', 'loginSeq', 'personAt')
if not record[1] then return 0 end
if ARGV[4] == 'ready' and record[2] ~= 'ready' then return 0 end
if ARGV[3] ~= '' and ARGV[3] ~= (record[3] or '0') then return 0 end
if ARGV[3] == '' and tonumber(record[4] or 0) + tonumber(ARGV[5]) > now_ms() then return 0 end
redis.call('HSET', key, 'state', ARGV[6], 'stateReason', ARGV[7], 'challengeMethods', ARGV[8])
return 1
