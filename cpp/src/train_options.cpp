#include "train_options.hpp"

#include <algorithm>
#include <string>

namespace fastmlp {
namespace {

/// Whether the rates change with the epoch, whose end only a known number of rows foretells.
bool counts_epochs(const Schedule& schedule) {
    return schedule.kind != Schedule::Kind::kConstant && schedule.kind != Schedule::Kind::kInverse;
}

}  // namespace

void check_options(std::size_t rows, const TrainOptions& options) {
    if (options.batch_size == 0) throw std::invalid_argument("batch_size must be at least 1");
    check_optimizer(options.optimizer);
    check_schedule(options.schedule);
    if (options.first_epoch > options.epochs) {
        throw std::invalid_argument("first_epoch must be at most epochs");
    }
    if (rows == 0 && (options.first_epoch > 0 || counts_epochs(options.schedule))) {
        throw std::invalid_argument(
            "first_epoch and schedules over epochs need the number of rows of an epoch");
    }
    if (options.order) {
        const std::uint32_t* end = options.order + options.order_rows * rows;
        if (options.order_rows == 0 ||
            std::any_of(options.order, end, [&](std::uint32_t i) { return i >= rows; })) {
            throw std::invalid_argument("order must hold indices of rows of x");
        }
    }
}

Diverged::Diverged(std::size_t at_epoch, double its_loss, double last_rate)
    : std::runtime_error("the loss of epoch " + std::to_string(at_epoch) + " is " +
                         std::to_string(its_loss)),
      epoch(at_epoch), loss(its_loss), learning_rate(last_rate) {}

}  // namespace fastmlp
