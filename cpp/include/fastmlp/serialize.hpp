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
    bool allow_nonfinite = false;  ///< write parameters that are NaN or infinite, too
};

/// Writes parameters, architecture and names, with the seed and the epoch that tell the next orders
/// of samples, but not gradients and workspace. Writing is atomic.
///
/// Throws std::invalid_argument for parameters that `load` would refuse, and
/// std::filesystem::filesystem_error (a std::system_error), which has errno and the path; the file
/// is then what it was before. `network` must not change meanwhile.
template <class T>
FASTMLP_API void save(const Network<T>& network, const std::filesystem::path& path,
                      const SaveOptions& options = {});

struct LoadOptions {
    bool allow_nonfinite = false;  ///< take parameters that are NaN or infinite, too
    bool allow_table = false;      ///< and networks of columns that must be prepared for them
};

/// Reads a network that `save` wrote, to the same bits. No code of the file is ever run.
///
/// Throws FormatError for a file that is damaged, of other content (an ensemble, a table whose
/// columns must be prepared) or of another type than T,
/// std::filesystem::filesystem_error for what the system refuses, std::bad_alloc.
template <class T>
FASTMLP_API Network<T> load(const std::filesystem::path& path, const LoadOptions& options = {});

/// The same where the file decides on the type.
using AnyNetwork = std::variant<Network<float>, Network<double>>;
FASTMLP_API AnyNetwork load_any(const std::filesystem::path& path, const LoadOptions& options = {});

/// A network as named tensors and metadata, which borrow from it: what `save` writes, and a part of
/// what a checkpoint is. Throws std::invalid_argument as `save` does.
template <class T>
FASTMLP_API Archive to_archive(const Network<T>& network, const SaveOptions& options = {});

/// The network of an archive, which must hold it and nothing else; `file` is what errors call it.
FASTMLP_API AnyNetwork from_archive(const Archive& archive, const std::string& file,
                                    const LoadOptions& options = {});

/// A network of either type, borrowed.
using AnyNetworkPointer = std::variant<const Network<float>*, const Network<double>*>;

/// Several networks, at least one, in one file, as `save` writes one. Neighbours that differ in
/// their numbers only share what describes them: a file holds any number of such networks.
FASTMLP_API void save_ensemble(std::span<const AnyNetworkPointer> networks,
                               const std::filesystem::path& path, const SaveOptions& options = {});
/// The networks of a file, in their order; of one that `save` wrote that network.
FASTMLP_API std::vector<AnyNetwork> load_ensemble(const std::filesystem::path& path,
                                                  const LoadOptions& options = {});
/// The same as archives. The one that is returned borrows nothing.
FASTMLP_API Archive ensemble_to_archive(std::span<const AnyNetworkPointer> networks,
                                        const SaveOptions& options = {});
FASTMLP_API std::vector<AnyNetwork> ensemble_from_archive(const Archive& archive,
                                                          const std::string& file,
                                                          const LoadOptions& options = {});

extern template void save(const Network<float>&, const std::filesystem::path&, const SaveOptions&);
extern template void save(const Network<double>&, const std::filesystem::path&, const SaveOptions&);
extern template Network<float> load(const std::filesystem::path&, const LoadOptions&);
extern template Network<double> load(const std::filesystem::path&, const LoadOptions&);
extern template Archive to_archive(const Network<float>&, const SaveOptions&);
extern template Archive to_archive(const Network<double>&, const SaveOptions&);

}  // namespace fastmlp
