-- Gives a request of the bucket KEYS[1] with the interval ARGV[1] back that was taken until ARGV[2], as far as time has not
-- given it back. All times are in microseconds.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local left = math.min(tonumber(ARGV[1]), tonumber(ARGV[2]) - now)
local whole_at = redis.call('GET', KEYS[1])
if left <= 0 or not whole_at then
    return
end
whole_at = tonumber(whole_at) - left
if whole_at <= now then
    redis.call('DEL', KEYS[1])
else
    redis.call('SET', KEYS[1], string.format('%.0f', whole_at), 'PX', math.ceil((whole_at - now) / 1000))
end
