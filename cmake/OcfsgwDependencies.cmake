# Third-party libraries, all from Debian packages. Which folder uses which, and why, is in docs/ARCHITECTURE.md.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Boost 1.74 REQUIRED)             # Asio (header only): executors, control socket; Beast: the injector's HTTP
find_package(OpenSSL 3.0 REQUIRED)            # TLS and certificates of the injector
find_package(spdlog REQUIRED)                 # logging
find_package(fmt REQUIRED)                    # message formatting (std::format is not in this compiler's library)
find_package(CLI11 REQUIRED)                  # command lines of the programs
find_package(nlohmann_json REQUIRED)          # --json output and the control protocol
find_package(prometheus-cpp REQUIRED)         # metrics endpoint
pkg_check_modules(FUSE3 REQUIRED IMPORTED_TARGET fuse3>=3.12)
pkg_check_modules(ROCKSDB REQUIRED IMPORTED_TARGET rocksdb>=7.8)
pkg_check_modules(LIBARCHIVE REQUIRED IMPORTED_TARGET libarchive>=3.6)  # compressed traces
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
