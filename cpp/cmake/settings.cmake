# How every object of the core is compiled, and how its libraries are linked.

# gcc 12 takes "text" + std::string for an overlap (its bug 105651).
set(FASTMLP_NO_FALSE_WARNING
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
)

function(fastmlp_apply_settings target)
    target_include_directories(
        ${target}
        PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/include ${CMAKE_CURRENT_SOURCE_DIR}/src
    )
    set_target_properties(
        ${target}
        PROPERTIES
            CXX_EXTENSIONS OFF
            CXX_VISIBILITY_PRESET hidden
            VISIBILITY_INLINES_HIDDEN ON
            POSITION_INDEPENDENT_CODE ON
    )
    # Contraction would fuse a*b+c where the specification rounds twice.
    target_compile_options(
        ${target}
        PRIVATE
            -ffp-contract=off
            -Wall
            -Wextra
            -Wpedantic
            -Wconversion
            -Wno-sign-conversion # part of -Wconversion for clang, not for gcc
            -Wshadow
            ${FASTMLP_NO_FALSE_WARNING}
            $<$<BOOL:${FASTMLP_WERROR}>:-Werror>
    )
    if(FASTMLP_SANITIZE)
        target_compile_options(
            ${target}
            PUBLIC -fsanitize=${FASTMLP_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
        )
        target_link_options(${target} PUBLIC -fsanitize=${FASTMLP_SANITIZE})
    endif()
endfunction()

# fastmlp_export_only(TARGET MAP): hides what the version script MAP does not name, above all the
# standard library's templates, which are visible by their own wish. References inside the library
# stay inside, so that a second copy in the process never answers them.
function(fastmlp_export_only target map)
    if(CMAKE_SYSTEM_NAME MATCHES "Linux|BSD")
        cmake_path(ABSOLUTE_PATH map BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
        target_link_options(${target} PRIVATE LINKER:--version-script=${map} LINKER:-Bsymbolic)
        set_target_properties(${target} PROPERTIES LINK_DEPENDS ${map})
    endif()
endfunction()
