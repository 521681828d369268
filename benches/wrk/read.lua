-- Reads paths in turn, which are the arguments.
require "report"

local requests, turn = {}, 0

function init(paths)
    for _, path in ipairs(paths) do
        requests[#requests + 1] = wrk.format("GET", path)
    end
end

function request()
    turn = turn % #requests + 1
    return requests[turn]
end
