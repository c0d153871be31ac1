-- The paths behind `--` in turn, and at the end the result as JSON: answers, a second, milliseconds, errors.
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
      'result {"count": %d, "rate": %f, "p50": %f, "p99": %f, "refused": %d, "broken": %d}\n',
      summary.requests, summary.requests * 1e6 / summary.duration,  -- wrk counts microseconds
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout))
end
