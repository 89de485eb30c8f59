#include "ctl/status_text.h"

#include <gmock/gmock.h>

namespace ocfsgw::ctl {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

TEST(MetricsJson, NamesMetricsAsPrometheusDoes) {
  MetricsRegistry registry;
  registry.AddCounter("a_total", "A.").Add(3);
  registry.AddCounter("b_total", "B.", {{"from", "x\"\\\n"}, {"op", "read"}}).Add(5);
  registry.AddGauge(&registry, "c", "C.", [] { return 0.5; });
  EXPECT_EQ(MetricsJson(registry.Snapshot()),
            json({{"a_total", 3}, {R"(b_total{from="x\"\\\n",op="read"})", 5}, {"c", 0.5}}));
}

TEST(FormatMetrics, OnePerLine) {
  EXPECT_EQ(FormatMetrics({{"b{x=\"y\"}", 12345678901.0}, {"a", 0.25}, {"c", "text"}}),
            "a 0.25\nb{x=\"y\"} 12345678901\n");
  EXPECT_EQ(FormatMetrics(json()), "");
}

TEST(FormatStatus, ShowsEverything) {
  const json status = {{"source", "/srv/shared"},
                       {"mountpoint", "/srv/www"},
                       {"version", "1.2.3"},
                       {"lease_provider", "o2dlm"},
                       {"coherence", "strict"},
                       {"uptime_s", 93784.5},
                       {"pid", 4711},
                       {"guardian", 4710},
                       {"restarts", 2},
                       {"cache_slot", "/var/cache/ocfsgw/www/0"},
                       {"store",
                        {{"records", 10},
                         {"bytes", 1048576},
                         {"disk_bytes", 1572864},
                         {"quota_bytes", 1073741824},
                         {"evicted_records", 2},
                         {"dropped_puts", 3},
                         {"corrupt_records", 1},
                         {"degraded", false}}},
                       {"metrics",
                        {{"ocfsgw_block_reads_total{from=\"store\"}", 999},
                         {"ocfsgw_block_reads_total{from=\"backend\"}", 1},
                         {"ocfsgw_read_bytes_total{from=\"store\"}", 2048},
                         {"ocfsgw_read_bytes_total{from=\"backend\"}", 2048},
                         {"ocfsgw_attributes_total{from=\"lease\"}", 0},
                         {"ocfsgw_leases_held", 12},
                         {"ocfsgw_sealed_leases_held", 34},
                         {"ocfsgw_lease_acquisitions_total", 13},
                         {"ocfsgw_recalls_total", 7},
                         {"ocfsgw_forced_releases_total", 2},
                         {"ocfsgw_backend_operations_total{op=\"open\"}", 5},
                         {"ocfsgw_backend_operations_total{op=\"read\"}", 6}}}};
  EXPECT_EQ(FormatStatus(status),
            "source                /srv/shared\n"
            "mount point           /srv/www\n"
            "version               1.2.3\n"
            "process               4711\n"
            "guardian              4710\n"
            "restarts              2\n"
            "uptime                1 d 02:03:04\n"
            "leases by             o2dlm\n"
            "coherence             strict: changes made on any node of the cluster are seen\n"
            "state                 normal\n"
            "\n"
            "reads that reached us   from cache from source      hits\n"
            "  file blocks                  999           1    99.9 %\n"
            "  file bytes               2.0 KiB     2.0 KiB    50.0 %\n"
            "  attributes                     0           0         -\n"
            "  names                          0           0         -\n"
            "\n"
            "leases held           12\n"
            "  in sealed trees     34\n"
            "  acquired            13\n"
            "  refused             0\n"
            "recalls               7\n"
            "  forced releases     2\n"
            "  released by timer   0\n"
            "reads repeated        0\n"
            "reads without lease   0\n"
            "\n"
            "backend operations\n"
            "  open                5\n"
            "  read                6\n"
            "\n"
            "page store            1.5 MiB of 1.0 GiB on disk\n"
            "  directory           /var/cache/ocfsgw/www/0\n"
            "  records             10, 1.0 MiB\n"
            "  evicted             2\n"
            "  not stored          3\n"
            "  corrupt             1\n");
}

TEST(FormatStatus, TakesWhateverComes) {
  EXPECT_THAT(FormatStatus({{"store", {{"degraded", true}}}}), HasSubstr("DEGRADED: the page store is out"));
  EXPECT_THAT(FormatStatus({{"store", {{"degraded", true}, {"slow", true}}}}),
              HasSubstr("DEGRADED: the page store's disk is slow"));
  EXPECT_THAT(FormatStatus({{"lease_provider", "local"}}), HasSubstr("those of other machines are NOT"));
  EXPECT_THAT(FormatStatus({{"lease_provider", "none"}}), HasSubstr("nothing is cached"));
  for (const json& odd :
       {json::object(), json({{"metrics", 5}, {"store", "x"}, {"pid", "y"}, {"source", 1}}), json(),
        json::array(), json("text"), json({{"uptime_s", -1e300}}), json({{"uptime_s", 1e300}})}) {
    EXPECT_THAT(FormatStatus(odd), HasSubstr("source                ?\n"));
    FormatMetrics(odd);
  }
}

}  // namespace
}  // namespace ocfsgw::ctl
