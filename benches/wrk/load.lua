-- Sends requests to several paths in turn. Arguments: the method, a file with the body, the paths. `NUMBER` in the body
-- becomes a number that is different in each request. At the end, the script prints the results as a line of JSON with
-- times in milliseconds.

local threads = 0

function setup(thread)
    threads = threads + 1
    thread:set("thread_number", threads)
end

function init(args)
    local file = assert(io.open(args[2], "rb"))
    local body, number, turn, requests = file:read("*a"), thread_number * 1e7, 0, {}
    file:close()
    wrk.method, wrk.path = args[1], args[3]
    if body ~= "" then wrk.body = body end
    local is_numbered, count = body:find("NUMBER", 1, true), #args - 2
    for path = 3, #args do
        requests[#requests + 1] = wrk.format(nil, args[path])
    end
    -- Without a function, wrk sends the same request each time and does not call Lua.
    if is_numbered or count > 1 then
        function request()
            turn = turn % count + 1
            if not is_numbered then return requests[turn] end
            number = number + 1
            return wrk.format(nil, args[turn + 2], nil, (body:gsub("NUMBER", string.format("%d", number))))
        end
    end
end

function done(summary, latency, _)
    local errors = summary.errors
    io.write(string.format('{"requests":%d,"seconds":%f,"p50":%f,"p99":%f,"failed":%d}\n',
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
