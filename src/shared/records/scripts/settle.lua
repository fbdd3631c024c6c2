-- settle(P, account, 'calls' | 'parts', 'ok' | 'unreachable' | 'unknown', jitter 0..1000, member …) -> pause ms
-- Gives the leases back. Success closes the circuit; each failure doubles its pause, up to a minute.
local account, kind = P .. ':account:' .. ARGV[2], ARGV[3]
redis.call('ZREM', account .. ':leases:' .. kind, unpack(ARGV, 6))
local circuit = account .. ':circuit:' .. kind
if ARGV[4] == 'ok' then
  close_circuit(circuit, now_ms())
  return 0
end
if ARGV[4] ~= 'unreachable' then return 0 end
local now = now_ms()
-- Nothing begins while the circuit is open: what fails now began before, and that is one failure, not many.
local known = tonumber(redis.call('HGET', circuit, 'until') or 0)
if known > now then return known - now end
redis.call('HDEL', circuit, 'probe')
local failures = redis.call('HINCRBY', circuit, 'failures', 1)
local longest = math.min(60000, 500 * 2 ^ math.min(failures, 10))
local pause = math.floor(longest / 2 + longest / 2 * tonumber(ARGV[5]) / 1000)
redis.call('HSET', circuit, 'until', now + pause)
redis.call('PEXPIRE', circuit, 600000)
return pause
