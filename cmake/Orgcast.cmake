# SPDX-License-Identifier: MIT
# orgcast_target(NAME): the language, warning and hardening settings that every target shares.

function(orgcast_target name)
    set_target_properties(${name} PROPERTIES
        C_STANDARD 11
        C_STANDARD_REQUIRED ON
        C_EXTENSIONS OFF
        C_VISIBILITY_PRESET hidden
        POSITION_INDEPENDENT_CODE ON)
    target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
    target_compile_options(${name} PRIVATE
        -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes
        -Wmissing-prototypes -Wold-style-definition -Wwrite-strings -Wpointer-arith -Wcast-align
        -Wformat=2 -Wundef -Wvla -Wswitch-enum -Wimplicit-fallthrough -Wnull-dereference
        $<$<BOOL:${ORGCAST_WERROR}>:-Werror>
        -fstack-protector-strong -fno-common)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
        target_compile_options(${name} PRIVATE -fcf-protection=full)
    endif()
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
        target_compile_options(${name} PRIVATE -fstack-clash-protection)
    endif()
    if(ORGCAST_SANITIZE)
        target_compile_options(${name} PRIVATE
            -fsanitize=${ORGCAST_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
        target_link_options(${name} PRIVATE -fsanitize=${ORGCAST_SANITIZE})
    else()
        target_compile_options(${name} PRIVATE $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>
                                               $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
    endif()
    get_target_property(type ${name} TYPE)
    if(type MATCHES "SHARED|MODULE|EXECUTABLE")
        target_link_options(${name} PRIVATE -Wl,-z,relro,-z,now,-z,noexecstack)
    endif()
endfunction()
