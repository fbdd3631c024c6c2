-- done(P, id, job id, instance) -> 1 when the job was in the hands of that process, and is not any more, else 0
local runs = upload_key(ARGV[2]) .. ':runs'
if redis.call('HGET', runs, ARGV[3]) ~= ARGV[4] then return 0 end
return redis.call('HDEL', runs, ARGV[3])
