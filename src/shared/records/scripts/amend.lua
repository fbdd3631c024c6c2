-- amend(P, id, epoch or '', 'HSET' | 'HSETNX' | 'HINCRBY', field, value) -> the command's answer, or 0
-- Changes the upload's record, or what is known of the sendings of that epoch; nothing when it is over. So a
-- late worker never brings back what was forgotten.
local key = upload_key(ARGV[2])
local epoch = redis.call('HGET', key, 'epoch')
if not epoch then return 0 end
if ARGV[3] ~= '' then
  if ARGV[3] ~= epoch then return 0 end
  key = key .. ':sending:' .. epoch
end
return redis.call(ARGV[4], key, ARGV[5], ARGV[6])
