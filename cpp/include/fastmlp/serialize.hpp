/// Networks in files: `save`, `load`, `save_ensemble`, `load_ensemble`.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "fastmlp/archive.hpp"
#include "fastmlp/export.h"
#include "fastmlp/network.hpp"

namespace fastmlp {

struct SaveOptions {
    bool allow_nonfinite = false;  ///< also write parameters that are NaN or infinite
};

/// Writes parameters, architecture and names, and the seed and epoch, which determine the next
/// orders of samples, but not gradients and workspace. Writing is atomic.
///
/// Throws std::invalid_argument for parameters that `load` would refuse, and
/// std::filesystem::filesystem_error (a std::system_error) with errno and path; an old file is then
/// unchanged. `network` must not change meanwhile.
template <class T>
FASTMLP_API void save(const Network<T>& network, const std::filesystem::path& path,
                      const SaveOptions& options = {});

struct LoadOptions {
    bool allow_nonfinite = false;  ///< also accept parameters that are NaN or infinite
    bool allow_table = false;      ///< and networks whose columns must be prepared
};

/// Reads a network that `save` wrote, with the same bits. Never runs code from the file.
///
/// Throws FormatError for a file that is damaged, of other content (an ensemble, a table whose
/// columns must be prepared) or of another type than T,
/// std::filesystem::filesystem_error for errors of the system, std::bad_alloc.
template <class T>
FASTMLP_API Network<T> load(const std::filesystem::path& path, const LoadOptions& options = {});

/// The same, with the type from the file.
using AnyNetwork = std::variant<Network<float>, Network<double>>;
FASTMLP_API AnyNetwork load_any(const std::filesystem::path& path, const LoadOptions& options = {});

/// A network as named tensors and metadata, which borrow from it: the content of a file of `save`,
/// and part of a checkpoint. Throws std::invalid_argument like `save`.
template <class T>
FASTMLP_API Archive to_archive(const Network<T>& network, const SaveOptions& options = {});

/// The network of an archive, which must contain nothing else; `file` is its name in errors.
FASTMLP_API AnyNetwork from_archive(const Archive& archive, const std::string& file,
                                    const LoadOptions& options = {});
/// The same for a network of T; FormatError for one of the other type.
template <class T>
FASTMLP_API Network<T> from_archive(const Archive& archive, const std::string& file,
                                    const LoadOptions& options = {});

/// A network of either type, borrowed.
using AnyNetworkPointer = std::variant<const Network<float>*, const Network<double>*>;

/// Writes one or more networks to one file, like `save`. Consecutive networks that differ in their
/// numbers only share a description.
FASTMLP_API void save_ensemble(std::span<const AnyNetworkPointer> networks,
                               const std::filesystem::path& path, const SaveOptions& options = {});
/// Reads the networks of a file in order; a file of `save` gives one network.
FASTMLP_API std::vector<AnyNetwork> load_ensemble(const std::filesystem::path& path,
                                                  const LoadOptions& options = {});
/// The same for archives. The returned one borrows nothing.
FASTMLP_API Archive ensemble_to_archive(std::span<const AnyNetworkPointer> networks,
                                        const SaveOptions& options = {});
FASTMLP_API std::vector<AnyNetwork> ensemble_from_archive(const Archive& archive,
                                                          const std::string& file,
                                                          const LoadOptions& options = {});

extern template void save(const Network<float>&, const std::filesystem::path&, const SaveOptions&);
extern template void save(const Network<double>&, const std::filesystem::path&, const SaveOptions&);
extern template Network<float> load(const std::filesystem::path&, const LoadOptions&);
extern template Network<double> load(const std::filesystem::path&, const LoadOptions&);
extern template Network<float> from_archive(const Archive&, const std::string&, const LoadOptions&);
extern template Network<double> from_archive(const Archive&, const std::string&,
                                             const LoadOptions&);
extern template Archive to_archive(const Network<float>&, const SaveOptions&);
extern template Archive to_archive(const Network<double>&, const SaveOptions&);

}  // namespace fastmlp
