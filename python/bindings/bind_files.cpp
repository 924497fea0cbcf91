/// Model files and archives. Errors are raised as FormatError and OSError.
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <cerrno>
#include <deque>
#include <variant>
#include <vector>

#include "bindings.hpp"
#include "fastmlp/serialize.hpp"
#include "files/disk.hpp"

namespace fastmlp::bindings {
namespace {

using Path = std::filesystem::path;

struct NumpyType {
    ElementType type;
    char kind;
    py::ssize_t size;
};

constexpr NumpyType kNumpyTypes[] = {
    {ElementType::kBool, 'b', 1}, {ElementType::kU8, 'u', 1},  {ElementType::kI8, 'i', 1},
    {ElementType::kU16, 'u', 2},  {ElementType::kI16, 'i', 2}, {ElementType::kU32, 'u', 4},
    {ElementType::kI32, 'i', 4},  {ElementType::kF32, 'f', 4}, {ElementType::kU64, 'u', 8},
    {ElementType::kI64, 'i', 8},  {ElementType::kF64, 'f', 8},
};

ElementType element_type(const py::dtype& dtype, const std::string& name) {
    for (const NumpyType& known : kNumpyTypes) {
        if (known.kind == dtype.kind() && known.size == dtype.itemsize()) return known.type;
    }
    throw py::type_error("tensor '" + name + "' is of dtype " + std::string(py::str(dtype)) +
                         ", which files do not know");
}

py::dtype numpy_dtype(ElementType type) {
    const NumpyType& known = kNumpyTypes[static_cast<std::size_t>(type)];
    const char kind = type == ElementType::kBool ? '?' : known.kind;
    return py::dtype(kind == '?' ? std::string("?") : kind + std::to_string(known.size));
}

/// Borrows `array`, which must be C-contiguous and of this machine's byte order.
Tensor borrow_tensor(const std::string& name, const py::array& array) {
    const bool contiguous = (array.flags() & py::array::c_style) != 0;
    const char order = array.dtype().byteorder();
    if (!contiguous || !(order == '=' || order == '|')) {
        throw py::type_error("tensor '" + name + "' must be C-contiguous, of native byte order");
    }
    const auto* shape = array.shape();
    return {
        name,
        element_type(array.dtype(), name),
        std::vector<std::size_t>(shape, shape + array.ndim()),
        {static_cast<const std::byte*>(array.data()), static_cast<std::size_t>(array.nbytes())}};
}

using Tensors = std::map<std::string, py::array>;
using Metadata = std::map<std::string, std::string>;

Archive borrow_archive(const Tensors& tensors, Metadata metadata) {
    Archive archive{std::move(metadata), {}, nullptr};
    for (const auto& [name, array] : tensors) archive.tensors.push_back(borrow_tensor(name, array));
    return archive;
}

void write(const Path& path, const Tensors& tensors, Metadata metadata) {
    const Archive archive = borrow_archive(tensors, std::move(metadata));
    const Interruptible interruptible;  // the arrays are held by the caller's frame
    write_archive(path, archive);
}

void check_write(const Path& path, const Tensors& tensors, Metadata metadata) {
    const Archive archive = borrow_archive(tensors, std::move(metadata));
    const Unlocked unlocked;  // as above
    check_can_write(path, archive);
}

void write_file(const Path& path, const py::bytes& content) {
    const auto text = static_cast<std::string_view>(content);
    const Interruptible interruptible;  // the caller's frame holds the bytes
    files::AtomicFile file(path);
    file.write(std::as_bytes(std::span(text)));
    file.commit();
}

/// The tensors, as views of one block of memory, and the metadata.
py::tuple lend_archive(const Archive& archive) {
    py::dict tensors, metadata;
    for (const Tensor& tensor : archive.tensors) {
        const std::vector<py::ssize_t> shape(tensor.shape.begin(), tensor.shape.end());
        py::capsule keeper(new std::shared_ptr<std::byte[]>(archive.memory), [](void* held) {
            delete static_cast<std::shared_ptr<std::byte[]>*>(held);
        });
        tensors[py::str(tensor.name)] =
            py::array(numpy_dtype(tensor.type), shape, tensor.bytes.data(), keeper);
    }
    for (const auto& [key, text] : archive.metadata) metadata[py::str(key)] = py::str(text);
    return py::make_tuple(tensors, metadata);
}

py::tuple read(const Path& path) {
    Archive archive;
    {
        const Interruptible interruptible;
        archive = read_archive(path);
    }
    return lend_archive(archive);
}

py::tuple parse(const py::bytes& bytes) {
    const auto text = static_cast<std::string_view>(bytes);
    return lend_archive(parse_archive(std::as_bytes(std::span(text))));
}

py::object own(AnyNetwork loaded) {
    return std::visit(
        []<class T>(Network<T>& network) {
            return py::cast(std::make_unique<LockedNetwork<T>>(std::move(network)));
        },
        loaded);
}

/// Removes the tensors and metadata that describe a table from `archive`, and returns them.
Archive take_table(const Archive& archive) {
    Archive table;
    table.memory = archive.memory;
    for (const Tensor& tensor : archive.tensors) {
        if (tensor.name.starts_with("table.")) table.tensors.push_back(tensor);
    }
    for (const auto& item : archive.metadata) {
        if (item.first.starts_with("table")) table.metadata.insert(item);
    }
    return table;
}

/// The networks of a file, and its data of a table.
py::tuple load_model(const Path& path, bool allow_nonfinite) {
    Archive table;
    std::vector<AnyNetwork> networks;
    {
        const Interruptible interruptible;
        const Archive archive = read_archive(path);
        networks = ensemble_from_archive(archive, path.string(), {allow_nonfinite, true});
        table = take_table(archive);
    }
    py::list cores;
    for (AnyNetwork& network : networks) cores.append(own(std::move(network)));
    const py::tuple rest = lend_archive(table);
    return py::make_tuple(cores, rest[0], rest[1]);
}

using AnyModel = std::variant<const LockedNetwork<float>*, const LockedNetwork<double>*>;

/// One network or an ensemble, with the file's data of a table.
void save_model(const Path& path, const std::vector<AnyModel>& models, const Tensors& tensors,
                const Metadata& metadata, bool allow_nonfinite) {
    const Archive table = borrow_archive(tensors, metadata);
    std::vector<AnyNetworkPointer> networks;
    for (const AnyModel& any : models) {
        std::visit([&](const auto* model) { networks.emplace_back(&model->network); }, any);
    }
    Interruptible interruptible;
    std::deque<Reading> readings;
    for (const AnyModel& any : models) {
        std::visit([&](const auto* m) { readings.emplace_back(*m, interruptible.unlocked()); },
                   any);
    }
    const SaveOptions options{allow_nonfinite};
    Archive archive =
        networks.size() == 1
            ? std::visit([&](const auto* one) { return to_archive(*one, options); }, networks[0])
            : ensemble_to_archive(networks, options);
    archive.metadata.insert(table.metadata.begin(), table.metadata.end());
    archive.tensors.insert(archive.tensors.end(), table.tensors.begin(), table.tensors.end());
    write_archive(path, archive);
}

py::object load_network(const Path& path, bool allow_nonfinite) {
    return own([&] {
        const Interruptible interruptible;
        return load_any(path, {allow_nonfinite});
    }());
}

py::object parse_network(const py::bytes& bytes, bool allow_nonfinite) {
    const auto text = static_cast<std::string_view>(bytes);
    const Archive archive = parse_archive(std::as_bytes(std::span(text)));
    return own(from_archive(archive, "<memory>", {allow_nonfinite}));
}

py::object network_from_archive(const Tensors& tensors, Metadata metadata,
                                const std::string& file) {
    return own(from_archive(borrow_archive(tensors, std::move(metadata)), file, {}));
}

/// A file's name for messages, with bytes that are not UTF-8 as \xff.
py::object shown(const std::string& name) {
    const auto size = static_cast<py::ssize_t>(name.size());
    return py::reinterpret_steal<py::object>(
        PyUnicode_DecodeUTF8(name.data(), size, "backslashreplace"));
}

void raise_os_error(const std::filesystem::filesystem_error& error) {
    errno = error.code().value();
    const std::string& name = error.path1().string();
    const auto filename = py::reinterpret_steal<py::object>(
        PyUnicode_DecodeFSDefaultAndSize(name.data(), static_cast<py::ssize_t>(name.size())));
    PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, filename.ptr());
}

}  // namespace

template <class T>
void save_network(LockedNetwork<T>& model, const Path& path, bool allow_nonfinite) {
    Interruptible interruptible;
    const Reading reading(model, interruptible.unlocked());
    save(model.network, path, {allow_nonfinite});
}

template <class T>
py::tuple network_archive(const LockedNetwork<T>& model) {
    const Reading reading(model);
    const Archive archive = to_archive(model.network);
    py::dict tensors, metadata;
    for (const Tensor& tensor : archive.tensors) {
        const std::vector<py::ssize_t> shape(tensor.shape.begin(), tensor.shape.end());
        tensors[py::str(tensor.name)] =
            py::array(numpy_dtype(tensor.type), shape, tensor.bytes.data());
    }
    for (const auto& [key, text] : archive.metadata) metadata[py::str(key)] = py::str(text);
    return py::make_tuple(tensors, metadata);
}

template py::tuple network_archive(const LockedNetwork<float>&);
template py::tuple network_archive(const LockedNetwork<double>&);
template void save_network(LockedNetwork<float>&, const Path&, bool);
template void save_network(LockedNetwork<double>&, const Path&, bool);

void bind_files(py::module_& module) {
    static PyObject* const format_error = PyErr_NewExceptionWithDoc(
        "fastmlp._core.FormatError", "A file is damaged; args are (file, field, offset, problem).",
        PyExc_ValueError, nullptr);
    module.add_object("FormatError", py::reinterpret_borrow<py::object>(format_error));
    py::register_local_exception_translator([](std::exception_ptr thrown) {
        try {
            std::rethrow_exception(thrown);
        } catch (const FormatError& error) {
            const py::tuple args =
                py::make_tuple(shown(error.file), error.field, error.offset, error.problem);
            PyErr_SetObject(format_error, args.ptr());
        } catch (const std::filesystem::filesystem_error& error) {
            raise_os_error(error);
        }
    });
    module.def("load_network", &load_network, py::arg("path"), py::arg("allow_nonfinite"));
    module.def("load_model", &load_model, py::arg("path"), py::arg("allow_nonfinite"));
    module.def("save_model", &save_model, py::arg("path"), py::arg("networks"), py::arg("tensors"),
               py::arg("metadata"), py::arg("allow_nonfinite"));
    module.def("parse_network", &parse_network, py::arg("data"), py::arg("allow_nonfinite"));
    module.def("network_from_archive", &network_from_archive, py::arg("tensors"),
               py::arg("metadata"), py::arg("file"));
    module.def("write_file", &write_file, py::arg("path"), py::arg("content"));
    module.def("write_archive", &write, py::arg("path"), py::arg("tensors"), py::arg("metadata"));
    module.def("check_header", [](const Path& path) { check_header(path); }, py::arg("path"));
    module.def("check_can_write", &check_write, py::arg("path"), py::arg("tensors"),
               py::arg("metadata"));
    module.def("read_archive", &read, py::arg("path"));
    module.def("parse_archive", &parse, py::arg("data"));
}

}  // namespace fastmlp::bindings
