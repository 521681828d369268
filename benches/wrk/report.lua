-- What every script needs: thread numbers, and one line at the end that a program can read. Times are in
-- microseconds.

local threads = 0

function setup(thread)
    threads = threads + 1
    thread:set("thread_number", threads)
end

function done(summary, latency, _)
    local errors = summary.errors
    io.write(string.format(
        "RESULT requests=%d duration=%d p50=%d p99=%d refused=%d broken=%d\n",
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
        errors.connect + errors.read + errors.write + errors.timeout))
end
