-- Takes a request from the bucket KEYS[1] with the interval ARGV[1] and the tolerance ARGV[2]. Returns 1 and the time at
-- which the bucket is whole, or 0 and the time to wait. All times are in microseconds.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval = tonumber(ARGV[1])
local whole_at = tonumber(redis.call('GET', KEYS[1]) or '0')
local wait = whole_at - tonumber(ARGV[2]) - now
if wait > 0 then
    return {0, wait}
end
whole_at = math.max(whole_at, now) + interval
redis.call('SET', KEYS[1], string.format('%.0f', whole_at), 'PX', math.ceil((whole_at - now) / 1000))
return {1, whole_at}
