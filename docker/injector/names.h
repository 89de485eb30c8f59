#pragma once

#include <string_view>

/// Names that users, manifests and the image know. docs/SIDECAR.md explains them.
namespace ocfsgw::injector {

inline constexpr std::string_view kPrefix = "ocfsgw.io/";

// What a user writes on a pod.
inline constexpr std::string_view kInject = "ocfsgw.io/inject";
inline constexpr std::string_view kVolume = "ocfsgw.io/volume";
inline constexpr std::string_view kOptions = "ocfsgw.io/options";
inline constexpr std::string_view kOptionsOfVolume = "ocfsgw.io/options.";  ///< Then the volume's name.
inline constexpr std::string_view kImage = "ocfsgw.io/image";
inline constexpr std::string_view kCache = "ocfsgw.io/cache";
inline constexpr std::string_view kFastTree = "ocfsgw.io/fast-tree";
inline constexpr std::string_view kMemoryLimit = "ocfsgw.io/memory-limit";
inline constexpr std::string_view kEphemeralLimit = "ocfsgw.io/ephemeral-storage-limit";

// What the injector writes on it.
inline constexpr std::string_view kStatus = "ocfsgw.io/status";
inline constexpr std::string_view kVersion = "ocfsgw.io/version";
inline constexpr std::string_view kConfigHash = "ocfsgw.io/config-hash";
inline constexpr std::string_view kOriginalGrace = "ocfsgw.io/original-termination-grace-period";
inline constexpr std::string_view kInjected = "injected";

// Containers and volumes of the patched pod; further ones have "-" and the volume's name or a number behind.
inline constexpr std::string_view kContainer = "ocfsgw";
inline constexpr std::string_view kPodVolume =
    "ocfsgw-pod";  ///< For the sidecar: holds the directory of the next.
inline constexpr std::string_view kMountVolume = "ocfsgw-mount";  ///< For applications.
inline constexpr std::string_view kCacheVolume = "ocfsgw-cache";
inline constexpr std::string_view kDlmVolume = "ocfsgw-dlm";
inline constexpr std::string_view kFuseVolume = "ocfsgw-fuse";

// Paths in the sidecar.
inline constexpr std::string_view kSourcePath = "/ocfsgw/source";
inline constexpr std::string_view kPodPath = "/ocfsgw/pod";
inline constexpr std::string_view kMountPath = "/ocfsgw/pod/mount";
inline constexpr std::string_view kCachePath = "/ocfsgw/cache";
inline constexpr std::string_view kDlmPath = "/ocfsgw/dlm";
inline constexpr std::string_view kFuseDevice = "/dev/fuse";

}  // namespace ocfsgw::injector
