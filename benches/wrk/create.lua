-- Creates cars. The argument begins their plates: no two runs may have the same, and no two threads do.
require "report"

local prefix, number = "", 0

function init(args)
    prefix = args[1] .. "-" .. thread_number .. "-"
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
end

function request()
    number = number + 1
    return wrk.format(nil, nil, nil, string.format(
        '{"brand":"Toyota","model":"Corolla","year":2019,"color":"Silver","license":"%s%d",'
        .. '"vin":"WVWZZZ1JZXW000001","mileage":15000,"notes":"Winter tyres are in the cellar."}',
        prefix, number))
end
