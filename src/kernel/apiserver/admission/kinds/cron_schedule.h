#pragma once

#include <string>
#include <string_view>

namespace atl::apiserver {

// What is wrong with a schedule of a CronJob ("*/5 * * * *", "@hourly", "@every 90m"), or empty.
// Only the grammar: when it fires next is the controller's matter.
std::string check_cron_schedule(std::string_view schedule);

}  // namespace atl::apiserver
