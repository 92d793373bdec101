-- For wrk: the body of each request is BENCH_BODY with a number of its own for @, and in the end one line of JSON.

local body, prefix, sent = os.getenv("BENCH_BODY"), os.getenv("BENCH_PREFIX"), 0

if body then
   request = function()
      sent = sent + 1
      local one = string.gsub(body, "@", string.format("%s%09d", prefix, sent))
      return wrk.format("POST", nil, {["Content-Type"] = "application/json"}, one)
   end
end

done = function(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "errors": %d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
