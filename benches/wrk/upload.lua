-- Uploads a picture to cars in turn. The arguments are the file, and the paths.
require "report"

local requests, turn = {}, 0

function init(args)
    local file = assert(io.open(args[1], "rb"))
    local boundary = "benchmark-boundary"
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "multipart/form-data; boundary=" .. boundary
    wrk.body = "--" .. boundary .. "\r\n"
        .. 'Content-Disposition: form-data; name="image"; filename="car.jpg"\r\n'
        .. "Content-Type: image/jpeg\r\n\r\n"
        .. file:read("*a") .. "\r\n--" .. boundary .. "--\r\n"
    file:close()
    for path = 2, #args do
        requests[#requests + 1] = args[path]
    end
end

function request()
    turn = turn % #requests + 1
    return wrk.format(nil, requests[turn])
end
