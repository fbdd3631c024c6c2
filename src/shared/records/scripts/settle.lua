-- settle(P, account, 'calls' | 'parts', member, 'ok' | 'unreachable' | 'unknown', jitter 0..1000) -> pause ms
-- Gives the lease back. Success closes the circuit; each failure doubles its pause, up to a minute.
local account, kind = P .. ':account:' .. ARGV[2], ARGV[3]
redis.call('ZREM', account .. ':leases:' .. kind, ARGV[4])
local circuit = account .. ':circuit:' .. kind
if ARGV[5] == 'ok' then
  redis.call('DEL', circuit)
  return 0
end
if ARGV[5] ~= 'unreachable' then return 0 end
local now = now_ms()
-- Nothing begins while the circuit is open: what fails now began before, and that is one failure, not many.
local known = tonumber(redis.call('HGET', circuit, 'until') or 0)
if known > now then return known - now end
redis.call('HDEL', circuit, 'probe')
local failures = redis.call('HINCRBY', circuit, 'failures', 1)
local longest = math.min(60000, 500 * 2 ^ math.min(failures, 10))
local pause = math.floor(longest / 2 + longest / 2 * tonumber(ARGV[6]) / 1000)
redis.call('HSET', circuit, 'until', now + pause)
redis.call('PEXPIRE', circuit, 600000)
return pause
