#pragma once

#include "base/metrics.h"

namespace ocfsgw::coherence {

/// What the coherence layer counts. docs/OPERATIONS.md says what each figure tells an operator.
struct CoherenceMetrics {
  explicit CoherenceMetrics(MetricsRegistry& r)
      : blocks_from_store(r.AddCounter("ocfsgw_block_reads_total",
                                       "Blocks of file data read, by where they came from.",
                                       {{"from", "store"}})),
        blocks_from_backend(r.AddCounter("ocfsgw_block_reads_total",
                                         "Blocks of file data read, by where they came from.",
                                         {{"from", "backend"}})),
        blocks_shared(r.AddCounter("ocfsgw_block_reads_total",
                                   "Blocks of file data read, by where they came from.",
                                   {{"from", "shared"}})),
        blocks_ahead(r.AddCounter("ocfsgw_blocks_ahead_total",
                                  "Blocks read from the backend ahead of a walk that reads the files of a "
                                  "directory; also among the blocks read from there.")),
        bytes_from_store(r.AddCounter("ocfsgw_read_bytes_total",
                                      "Bytes of file data answered, by where they came from.",
                                      {{"from", "store"}})),
        bytes_from_backend(r.AddCounter("ocfsgw_read_bytes_total",
                                        "Bytes of file data answered, by where they came from.",
                                        {{"from", "backend"}})),
        bytes_shared(r.AddCounter("ocfsgw_read_bytes_total",
                                  "Bytes of file data answered, by where they came from.",
                                  {{"from", "shared"}})),
        bytes_written(
            r.AddCounter("ocfsgw_written_bytes_total", "Bytes written through to the shared file system.")),
        attributes_from_lease(r.AddCounter(
            "ocfsgw_attributes_total", "Attributes answered, by where they came from.", {{"from", "lease"}})),
        attributes_from_backend(r.AddCounter("ocfsgw_attributes_total",
                                             "Attributes answered, by where they came from.",
                                             {{"from", "backend"}})),
        names_from_lease(r.AddCounter("ocfsgw_names_total", "Names looked up, by where the answer came from.",
                                      {{"from", "lease"}})),
        names_from_backend(r.AddCounter(
            "ocfsgw_names_total", "Names looked up, by where the answer came from.", {{"from", "backend"}})),
        listings(r.AddCounter("ocfsgw_listings_total",
                              "Directories listed, each from its beginning; not by the kernel from what it "
                              "keeps.")),
        acquisitions(r.AddCounter("ocfsgw_lease_acquisitions_total", "Leases granted.")),
        sealed_acquisitions(
            r.AddCounter("ocfsgw_sealed_lease_acquisitions_total",
                         "Leases granted by that of the sealed tree; also among the leases granted.")),
        refusals(r.AddCounter("ocfsgw_lease_refusals_total", "Leases asked for and not granted.")),
        recalls(r.AddCounter("ocfsgw_recalls_total", "Leases wanted back by a writer.")),
        idle_releases(
            r.AddCounter("ocfsgw_idle_releases_total", "Leases given back to stay within max_leases.")),
        unused_releases(r.AddCounter("ocfsgw_unused_releases_total",
                                     "Leases given back because nobody had asked for them in lease_idle_s.")),
        first_accesses(r.AddCounter("ocfsgw_first_accesses_total",
                                    "Requests that did without a lease because of second_access_s.")),
        forced_releases(
            r.AddCounter("ocfsgw_forced_releases_total",
                         "Leases given back before the kernel's pages were taken back, timer included.")),
        timer_releases(r.AddCounter("ocfsgw_timer_releases_total",
                                    "Leases given back because half the recall deadline had passed.")),
        read_retries(
            r.AddCounter("ocfsgw_read_retries_total", "Reads done again because their lease had gone.")),
        unleased_reads(
            r.AddCounter("ocfsgw_unleased_reads_total", "Reads answered from the backend without a lease.")),
        settle_timeouts(
            r.AddCounter("ocfsgw_settle_timeouts_total",
                         "Times the kernel had not given back pages or names when their attributes had to be "
                         "answered: files' were, directories' failed with ESTALE.")),
        names_revived(r.AddCounter("ocfsgw_names_revived_total",
                                   "Times names in the kernel were found true under a new lease, since they "
                                   "could not be taken back.")) {}

  Counter& blocks_from_store;
  Counter& blocks_from_backend;
  Counter& blocks_shared;
  Counter& blocks_ahead;
  Counter& bytes_from_store;
  Counter& bytes_from_backend;
  Counter& bytes_shared;
  Counter& bytes_written;
  Counter& attributes_from_lease;
  Counter& attributes_from_backend;
  Counter& names_from_lease;
  Counter& names_from_backend;
  Counter& listings;
  Counter& acquisitions;
  Counter& sealed_acquisitions;
  Counter& refusals;
  Counter& recalls;
  Counter& idle_releases;
  Counter& unused_releases;
  Counter& first_accesses;
  Counter& forced_releases;
  Counter& timer_releases;
  Counter& read_retries;
  Counter& unleased_reads;
  Counter& settle_timeouts;
  Counter& names_revived;
};

}  // namespace ocfsgw::coherence
