// Report, and what is to be known about the machine.

#include "report.h"

#include <fcntl.h>
#include <lmdb.h>
#include <sqlite3.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>

#include "trefoil/database.h"

namespace trefoil::compare {

namespace {

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const size_t middle = values.size() / 2;
    return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::string time_text(double ns) {
    const char* const units[] = {"ns", "us", "ms", "s"};
    int unit = 0;
    for (; unit < 3 && ns >= 1000; unit++) ns /= 1000;
    char text[32];
    std::snprintf(text, sizeof text, ns < 10 ? "%.2f %s" : "%.1f %s", ns, units[unit]);
    return text;
}

// What stands behind the colon of the first line that starts with `key`.
std::string line_of(const char* file, const std::string& key) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        if (line.rfind(key, 0) == 0) return line.substr(line.find(':') + 2);
    }
    return "unknown";
}

// Appending 4 KiB and syncing, in microseconds.
double sync_latency_us(const std::string& folder) {
    const std::string path = folder + "/sync-latency";
    const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    if (fd < 0) fail("cannot create " + path);
    const std::string block(4096, 'x');
    std::vector<double> times;
    for (int i = 0; i < 200; i++) {
        Stopwatch watch;
        if (::write(fd, block.data(), block.size()) != 4096 || ::fdatasync(fd) != 0) {
            fail("cannot write " + path);
        }
        times.push_back(watch.seconds() * 1e6);
    }
    ::close(fd);
    ::unlink(path.c_str());
    return median(times);
}

}  // namespace

void fail(const std::string& what) {
    std::cout.flush();
    std::cerr << "bench_compare: " << what << "\n";
    std::exit(1);
}

void Report::compare(const std::string& name, uint64_t n, const Side& trefoil,
                     const std::vector<Rival>& rivals) {
    std::vector<double> ours;
    std::vector<std::vector<double>> theirs(rivals.size());
    for (int run = 0; run < runs_; run++) {
        const Run our = trefoil();
        ours.push_back(our.seconds);
        for (size_t i = 0; i < rivals.size(); i++) {
            const Run their = rivals[i].run();
            theirs[i].push_back(their.seconds);
            if (their.proof != our.proof) {
                fail(name + ": " + rivals[i].name + " answers " + std::to_string(their.proof) +
                     ", Trefoil " + std::to_string(our.proof));
            }
        }
    }
    for (size_t i = 0; i < rivals.size(); i++) {
        const double per_item = 1e9 / static_cast<double>(n);
        lines_.push_back(
            {name, rivals[i].name, median(ours) * per_item, median(theirs[i]) * per_item, n});
        print(lines_.back());
    }
}

void Report::print(const Line& line) const {
    if (lines_.size() == 1) {
        std::printf("%-44s %-26s %10s %10s %8s %10s\n", "per item", "rival", "Trefoil", "rival",
                    "ratio", "items");
    }
    std::printf("%-44s %-26s %10s %10s %7.2fx %10llu%s\n", line.name.c_str(), line.rival.c_str(),
                time_text(line.trefoil_ns).c_str(), time_text(line.rival_ns).c_str(),
                line.rival_ns / line.trefoil_ns, static_cast<unsigned long long>(line.n),
                line.rival_ns < line.trefoil_ns ? "  we lose" : "");
    std::fflush(stdout);
}

void Report::print_json() const {
    std::printf("[\n");
    for (size_t i = 0; i < lines_.size(); i++) {
        const Line& line = lines_[i];
        std::printf(
            "  {\"name\": \"%s\", \"rival_name\": \"%s\", \"trefoil_ns\": %.1f, "
            "\"rival_ns\": %.1f, \"ratio\": %.3f, \"n\": %llu, \"runs\": %d}%s\n",
            line.name.c_str(), line.rival.c_str(), line.trefoil_ns, line.rival_ns,
            line.rival_ns / line.trefoil_ns, static_cast<unsigned long long>(line.n), runs_,
            i + 1 < lines_.size() ? "," : "");
    }
    std::printf("]\n");
}

void print_circumstances(const std::string& folder) {
    utsname system{};
    uname(&system);
    const std::time_t now = std::time(nullptr);
    char date[32];
    std::strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", std::gmtime(&now));
    double load[3] = {};
    if (getloadavg(load, 3) != 3) load[0] = -1;
    const double memory_gib =
        static_cast<double>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE) / (1 << 30);
    std::printf("machine   %s, %ld cores, %.0f GiB, %s %s\n",
                line_of("/proc/cpuinfo", "model name").c_str(), sysconf(_SC_NPROCESSORS_ONLN),
                memory_gib, system.sysname, system.release);
    std::printf("date      %s, load average %.2f %.2f %.2f at the start\n", date, load[0], load[1],
                load[2]);
    std::printf("versions  Trefoil %s, LMDB %d.%d.%d, SQLite %s\n", std::string(version()).c_str(),
                MDB_VERSION_MAJOR, MDB_VERSION_MINOR, MDB_VERSION_PATCH, sqlite3_libversion());
    std::printf("fsync     %.0f us (4 KiB appended, fdatasync, median of 200)\n\n",
                sync_latency_us(folder));
    std::fflush(stdout);
}

}  // namespace trefoil::compare
