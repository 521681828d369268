-- Changes the mileage of cars in turn, whose paths are the arguments: one car alone would make all connections wait
-- for its row.
require "report"

local paths, turn, mileage = {}, 0, 0

function init(args)
    paths = args
    wrk.method = "PATCH"
    wrk.headers["Content-Type"] = "application/json"
end

function request()
    turn = turn % #paths + 1
    mileage = (mileage + 1) % 1000000
    return wrk.format(nil, paths[turn], nil, string.format('{"mileage":%d}', mileage))
end
