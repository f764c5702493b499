# libfastclf without Python: only the functions of fastclf_api.h can be seen.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

target_compile_definitions(fastclf_options INTERFACE FASTCLF_SHARED)
file(STRINGS src/fastclf/include/fastclf_api.h api_version REGEX "FASTCLF_API_VERSION = ")
string(REGEX MATCH "[0-9]+" api_version "${api_version}")

add_library(fastclf SHARED)
target_link_libraries(fastclf PRIVATE ${fastclf_objects} fastclf_needs)
target_include_directories(fastclf INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set_target_properties(fastclf PROPERTIES LINKER_LANGUAGE C VERSION ${PROJECT_VERSION} SOVERSION ${api_version})
install(TARGETS fastclf EXPORT fastclf)
install(FILES src/fastclf/include/fastclf_api.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/fastclf)
install(EXPORT fastclf NAMESPACE fastclf:: FILE fastclf-config.cmake DESTINATION ${package})
write_basic_package_version_file(fastclf-config-version.cmake COMPATIBILITY SameMajorVersion)
file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /) # so that what is installed can be moved
configure_file(cmake/fastclf.pc.in fastclf.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/fastclf-config-version.cmake DESTINATION ${package})
install(FILES ${PROJECT_BINARY_DIR}/fastclf.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
