# SPDX-License-Identifier: BSD-3-Clause
# Installs each component by itself: cmake --install build --component jackplane_multiply
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_DATADIR}/cmake/jackplane)

foreach(component IN LISTS components)
    install(TARGETS jackplane_${component} EXPORT jackplane-${component} COMPONENT jackplane_${component}
            FILE_SET HEADERS COMPONENT jackplane_${component})
    install(EXPORT jackplane-${component} NAMESPACE jackplane:: DESTINATION ${package_folder}
            COMPONENT jackplane_${component})
endforeach()

# The laws of the concepts: doctest runs them on a codebook, a scale, a rounding of one's own.
add_library(jackplane_laws INTERFACE)
set_target_properties(jackplane_laws PROPERTIES EXPORT_NAME laws)
target_link_libraries(jackplane_laws INTERFACE jackplane_jackplane $<INSTALL_INTERFACE:doctest::doctest>)
install(TARGETS jackplane_laws EXPORT jackplane-laws COMPONENT jackplane_laws)
install(EXPORT jackplane-laws NAMESPACE jackplane:: DESTINATION ${package_folder} COMPONENT jackplane_laws)
install(DIRECTORY tests/laws DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/jackplane COMPONENT jackplane_laws
        FILES_MATCHING PATTERN *.hpp)

configure_package_config_file(cmake/jackplaneConfig.cmake.in jackplaneConfig.cmake
                              INSTALL_DESTINATION ${package_folder} PATH_VARS CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(jackplaneConfigVersion.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${PROJECT_BINARY_DIR}/jackplaneConfig.cmake ${PROJECT_BINARY_DIR}/jackplaneConfigVersion.cmake
        DESTINATION ${package_folder} COMPONENT jackplane_jackplane)

if(TARGET jackplane_multiply)
    install(FILES cmake/archs.cmake cmake/kernels.cmake DESTINATION ${package_folder} COMPONENT jackplane_multiply)
endif()

configure_file(cmake/jackplane.pc.in jackplane.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/jackplane.pc DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig
        COMPONENT jackplane_jackplane)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/jackplane COMPONENT jackplane_jackplane)
