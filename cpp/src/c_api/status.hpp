/// Exceptions become a status and a message: none leaves a function of the C interface.
#pragma once

#include <new>
#include <stdexcept>
#include <system_error>

#include "fastmlp.h"
#include "fastmlp/fastmlp.hpp"

namespace fastmlp::c {

/// Keeps the message for fastmlp_last_error, without allocating; returns the status.
fastmlp_status failed(fastmlp_status status, const char* message) noexcept;

/// Calls `function` and turns exceptions into a status and a message.
template <class Function>
fastmlp_status guarded(Function&& function) noexcept {
    try {
        function();
        return FASTMLP_OK;
    } catch (const Diverged& error) {
        return failed(FASTMLP_DIVERGED, error.what());
    } catch (const Interrupted& error) {
        return failed(FASTMLP_INTERRUPTED, error.what());
    } catch (const std::bad_alloc&) {
        return failed(FASTMLP_NO_MEMORY, "not enough memory");
    } catch (const std::length_error&) {
        return failed(FASTMLP_NO_MEMORY, "the sizes are beyond any memory");
    } catch (const std::system_error& error) {
        return failed(FASTMLP_SYSTEM_ERROR, error.what());
    } catch (const FormatError& error) {
        return failed(FASTMLP_FORMAT_ERROR, error.what());
    } catch (const std::logic_error& error) {
        return failed(FASTMLP_INVALID_ARGUMENT, error.what());
    } catch (const std::exception& error) {
        return failed(FASTMLP_INTERNAL_ERROR, error.what());
    } catch (...) {
        return failed(FASTMLP_INTERNAL_ERROR, "unknown error");
    }
}

}  // namespace fastmlp::c
