-- digests(P, id, 'instead' | 'too', then field, value …) -> 1, or 0 when there is no such upload
-- Keeps MD5s of parts, in place of those known before or beside them. A late worker brings nothing back.
local key = upload_key(ARGV[2])
if redis.call('EXISTS', key) == 0 then return 0 end
if ARGV[3] == 'instead' then redis.call('DEL', key .. ':digests') end
if #ARGV > 3 then redis.call('HSET', key .. ':digests', unpack(ARGV, 4)) end
return 1
