-- The paths behind `--` in turn, and at the end the result: requests, microseconds, latencies, errors.
local paths, turn = {}, 0

function init(args)
   for number = 1, #args do paths[number] = args[number] end
end

function request()
   turn = turn % #paths + 1
   return wrk.format("GET", paths[turn])
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      "result %d %d %.0f %.0f %d %d\n", summary.requests, summary.duration,
      latency:percentile(50), latency:percentile(99), errors.status,
      errors.connect + errors.read + errors.write + errors.timeout))
end
