-- Logs in. The arguments are a name and a password.
require "report"

function init(args)
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    wrk.body = string.format('{"username":"%s","password":"%s"}', args[1], args[2])
end
