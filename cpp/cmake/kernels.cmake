# One file per instruction set. Nothing else in the project is compiled for more than the
# baseline of the processor family, so the binary starts on every machine of that family.

add_library(fastmlp_kernels OBJECT)
fastmlp_apply_settings(fastmlp_kernels)
target_compile_features(fastmlp_kernels PRIVATE cxx_std_20)
set(FASTMLP_ISA_DEFINITIONS)

function(fastmlp_add_isa name optimization)
    set(source src/kernels/${name}.cpp)
    if(FASTMLP_SANITIZE)
        set(optimization -O1) # thousands of unrolled loads, each with its checks
    endif()
    target_sources(fastmlp_kernels PRIVATE ${source})
    set_source_files_properties(
        ${source}
        PROPERTIES
            COMPILE_OPTIONS
                "${optimization};-fno-exceptions;-fno-rtti;-fno-math-errno;-fno-trapping-math;${ARGN}"
    )
    string(TOUPPER ${name} upper)
    set(FASTMLP_ISA_DEFINITIONS ${FASTMLP_ISA_DEFINITIONS} FASTMLP_HAVE_${upper} PARENT_SCOPE)
endfunction()

fastmlp_add_isa(scalar -O2) # -O3 is 1 % faster and a fifth larger
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    fastmlp_add_isa(avx2 -O3 -mavx2 -mfma)
    fastmlp_add_isa(
        avx512
        -O3
        -mavx512f
        -mavx512bw
        -mavx512vl
        -mavx512dq
        -mfma
        -mprefer-vector-width=512
    )
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
    fastmlp_add_isa(neon -O3)
endif()
