// Files with arbitrary invalid bytes are refused with an error.

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "check.hpp"
#include "fastmlp/serialize.hpp"
#include "files/checksums.hpp"
#include "files/crc32c.hpp"
#include "files/json.hpp"
#include "files/safetensors.hpp"
#include "signed_file.hpp"

namespace {

using namespace fastmlp;
using check::bytes_of;
using check::SignedFile;

/// Loaded, or refused as it should be: anything else ends the program.
template <class Load>
bool accepted(Load load) {
    try {
        load();
        return true;
    } catch (const FormatError&) {
        return false;
    }
}

bool loads(const std::string& file) {
    return accepted([&] { ensemble_from_archive(parse_archive(bytes_of(file)), "file"); });
}

void test_crc() {
    files::Crc32c crc;
    crc.add("123456789");
    CHECK(crc.hex() == "e3069283");  // the check value of the literature
    for (std::size_t split = 0; split <= 40; ++split) {
        const std::string text = "a text that is longer than two blocks of 8";
        files::Crc32c whole, parts;
        whole.add(text);
        parts.add(text.substr(0, split));
        parts.add(text.substr(split));
        CHECK(whole.value() == parts.value());
    }
}

void test_json() {
    const std::string text = "a\"b\\c\n\x1b \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80";
    CHECK(files::JsonReader(files::json_string(text)).string() == text);
    CHECK(files::JsonReader("\"\\ud83d\\ude00\\u00e9\"").string() == "\xf0\x9f\x98\x80\xc3\xa9");
    for (const char* bad :
         {"", "\"", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u00E9\"", "\"\\ud800\"", "\"\\udc00\"",
          "\"\\ud800\\u0041\"", "\"\\u0000\"", "\"\n\"", "\"\xff\"", "\"\xc0\x80\"",
          "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "'a'"}) {
        bool refused = false;
        try {
            files::JsonReader(bad).string();
        } catch (const files::JsonError&) {
            refused = true;
        }
        CHECK(refused);
    }
    for (const char* bad : {"", "-1", "01", "1.0", "+1", " 1", "18446744073709551616"}) {
        bool refused = false;
        try {
            files::JsonReader json(bad);
            json.integer();
            if (!json.at_end()) json.fail("");
        } catch (const files::JsonError&) {
            refused = true;
        }
        CHECK(refused);
    }
    CHECK(files::JsonReader("18446744073709551615").integer() == ~std::uint64_t{0});
    for (const double value : {0.0, -0.0, 0.1, 1.0 / 3, 1e300, 5e-324, 123456789.123}) {
        CHECK(check::same(files::JsonReader(files::json_number(value)).number(), value));
    }
    CHECK(files::json_number(0.1) == "0.1" && files::json_number(0) == "0");
}

/// Any change of a few bytes of a model's file.
void test_changed_bytes(const std::string& good, std::mt19937& random) {
    int loaded = 0;
    for (int i = 0; i < 50'000; ++i) {
        std::string bad = good;
        for (std::uint32_t changes = 1 + random() % 3; changes > 0; --changes) {
            const std::size_t at = random() % bad.size();
            const std::size_t count = random() % std::min<std::size_t>(9, bad.size() - at);
            switch (random() % 4) {
                case 0: bad[at] = static_cast<char>(random()); break;
                case 1: bad.erase(at, count); break;
                case 2: bad.insert(at, bad, random() % bad.size(), count); break;
                case 3: bad[at] = "{}[]:,\"\\0129 "[random() % 13]; break;
            }
        }
        loaded += bad != good && loads(bad) ? 1 : 0;
    }
    CHECK(loaded == 0);
}

template <class T>
void predict_zeros(const Network<T>& network) {
    std::vector<T> x(network.features()), out(network.outputs());
    network.predict({x.data(), 1, x.size(), x.size()}, {out.data(), 1, out.size(), out.size()}, 1);
}

/// Any change of a file's content, with correct checksums, is refused or makes another valid
/// network.
void test_changed_contents(const Archive& good, std::mt19937& random) {
    const std::vector<std::string> values = {
        "0",           "1",           "2",        "9",          "18446744073709551615",
        "4294967296",  "-1",          "1e999",    "9007199254", "0.5",
        "null",        "true",        "[]",       "{}",         "\"relu\"",
        "\"softmax\"", "\"float64\"", "\"none\"", "\"F64\"",    "\"\"",
        "[1,2]",       "[2,3]"};
    int loaded = 0;
    for (int i = 0; i < 50'000; ++i) {
        SignedFile file(good);
        check::replace_value(file.part(random() % file.part_count()), random,
                             values[random() % values.size()]);
        const std::string bytes = file.bytes(random() % 8 == 0 ? random() % 64 : 0);
        loaded += accepted([&] {
            for (const AnyNetwork& any :
                 ensemble_from_archive(parse_archive(bytes_of(bytes)), "file")) {
                std::visit([](const auto& network) { predict_zeros(network); }, any);
            }
        });
    }
    std::printf("changed contents: %d of 50000 are networks\n", loaded);
    CHECK(loaded > 0 && loaded < 30'000);
}

/// All that version 2 has: names, several members, groups of other types.
Archive ensemble_of(const Network<float>& network) {
    Network<float> named = network.copy();
    named.set_names({{"a", "b"}, {"no", "yes"}});
    const Network<double> other(1, {{1, Activation::kSigmoid}}, Loss::kBinaryCrossEntropy, 8);
    return ensemble_to_archive(std::vector<AnyNetworkPointer>{&network, &network, &named, &other});
}

}  // namespace

int main() {
    test_crc();
    test_json();
    const Network<float> network(2, {{3, Activation::kRelu}, {2, Activation::kSoftmax}},
                                 Loss::kCrossEntropy, 7);
    std::mt19937 random(1);
    for (const Archive& archive : {to_archive(network), ensemble_of(network)}) {
        const std::string good = SignedFile(archive).bytes();
        CHECK(loads(good));
        test_changed_bytes(good, random);
        test_changed_contents(archive, random);
    }
    return check::report();
}
