"""The rules of the protocol (docs/COHERENCE.md), each with how to take it out and the tests that must notice.

Edit.old is replaced by Edit.new at its first place after Edit.after, which is there once in the file (the head of a
function, as a rule), and within that function. Where several tests are named, one of them failing is enough; the fastest
come first. The compiler's warnings are errors: what a rule alone used has to be used somehow.
"""
from typing import NamedTuple


class Edit(NamedTuple):
    file: str
    after: str
    old: str
    new: str


class Test(NamedTuple):
    program: str
    filter: str = ""
    seconds: int = 60        # then it hangs, which is a way to fail, too
    needs: tuple = ()        # targets besides the program
    cluster: bool = False

    def targets(self):
        return (self.program, *self.needs)


class Mutant(NamedTuple):
    name: str
    rule: str
    edits: tuple
    tests: tuple


def state(filter):
    return Test("coherence_test", filter)


def mount(filter):
    return Test("mount_deadlock_test", "Deadlock." + filter, 60)


def fast(filter):
    return Test("mount_fast_tree_test", "FastTreeTest." + filter, 120)


def nodes(filter):
    return Test("cluster_deadlock_test", filter, 300, ("ocfsgw", "ocfsgwctl", "fsop", "soak_worker"), True)


SIM = Test("cluster_simulation_test", "-*ManySeeds", 90)
TWO_NODES = Test("cluster_posix_storm_test", "PosixStormOfTwoNodes.*", 100, ("ocfsgw", "ocfsgwctl"), True)
WRITE = "  OCFSGW_ASSIGN_OR_RETURN(const size_t n, backing->Write(offset, from, mode.append));\n"
TAKE_W = "  OCFSGW_ASSIGN_OR_RETURN(locks.write, OpenLock(LockKind::kWrite, inode));\n"
TAKE_BACK_HERE = ("    ForgetAttributes(inode, true);\n"
                  "    ForEach(inode, [&ranges](const Connection& connection, fuse_ino_t ino) {\n"
                  "      ForgetPages(connection.session, ino, ranges);\n    });\n"
                  "    done();\n    return;\n  }")
LISTINGS_MOUNT = Test("mount_coherence_test", "Listings.*", 90, ("ocfsgw", "ocfsgwctl"))
PASSTHROUGH = "fusefs/passthrough.cc"
PASSTHROUGH_MOUNT = Test("mount_operations_test", "PassthroughTest.*", 120, ("ocfsgw", "ocfsgwctl"))
SET_IDS = Test("mount_operations_test", "OperationsUsers.SetId*", 60, ("ocfsgw", "ocfsgwctl"))
LISTINGS_UNIT = Test("fusefs_test", "KernelListings*")
INVALIDATE = "void KernelNotifier::Invalidate(InodeId"
LISTINGS = "fusefs/kernel_listings.cc"
STATE, TABLE, NOTIFIER = "coherence/lease_state.cc", "coherence/lease_table.cc", "fusefs/kernel_notifier.cc"
FS_NAMES, NAMES = "coherence/coherent_names.cc", "fusefs/name_table.cc"
SETTLING, CHANGES = "coherence/lease_settling.cc", "coherence/coherent_changes.cc"

MUTANTS = [
    # --- what is served, and when it is taken back
    Mutant("trust-goes-first", "every release begins with taking the attributes back",
           (Edit(STATE, "void LeaseState::Drop(", "actions.distrust = trusted();", ""),),
           (state("LeaseState.*"),)),
    Mutant("distrust-before-release", "attributes are taken back before the lease is given back",
           (Edit(TABLE, "void LeaseTable::Do(", "if (todo.actions.distrust && !kernel", "if (false && !kernel"),
            Edit(TABLE, "void LeaseTable::Do(", "if (todo.key.generation != 0) provider_->Release(todo.key);",
                 "if (todo.key.generation != 0) provider_->Release(todo.key);\n"
                 "    if (todo.actions.distrust) kernel_.ForgetAttributes(inode->id(), may_wait);")),
           (state("ProtocolRules.*"), SIM)),
    Mutant("trust-only-when-settled", "nothing is trusted while pages are suspect",
           (Edit(STATE, "bool LeaseState::Trust(", " || suspect()", ""),),
           (state("LeaseState.*"),)),
    Mutant("answer-under-lease", "an answer that fills pages is sent only under the lease it was read under",
           (Edit(STATE, "bool LeaseState::BeginReply(", "if (!serving() || epoch != epoch_) return false;",
                 "static_cast<void>(epoch);"),),
           (state("LeaseState.*"),)),
    Mutant("recall-waits-for-answers", "a recall waits for the answers being sent",
           (Edit(STATE, "void LeaseState::Advance(", " || replies_ > 0", ""),),
           (state("LeaseState.*"),)),
    Mutant("pages-before-release", "a recall takes the pages back before it gives the lease back",
           (Edit(STATE, "void LeaseState::Advance(", "if (covered()) {", "if (false) {"),),
           (state("LeaseState.*"),)),
    Mutant("second-invalidation", "what an uncovered answer has put into the kernel is taken back after it",
           (Edit(STATE, "LeaseActions LeaseState::EndUncovered(", "TakeBackSuspects(actions);", ""),),
           (state("LeaseState.*"),)),
    Mutant("written-pages-taken-back", "pages of a WRITE are taken back after its answer",
           (Edit("coherence/mutation.h", "~Mutation() {", "part.uncovered ? i.state.EndUncovered(part.ticket) : LeaseActions{}",
                 "LeaseActions{}"),),
           (state("ProtocolRules.*"), SIM)),
    Mutant("suspect-from-the-start", "a page is suspect from before its READ touches the backend",
           (Edit("coherence/coherent_data.cc", "Status CoherentFs::Read(", "  request.BeginUncovered();\n", ""),),
           (state("ProtocolRules.*"), SIM)),
    Mutant("await-settled", "attributes are answered when the suspect pages have been taken back",
           (Edit(FS_NAMES, "CoherentFs::GetAttr(", "} else if (!leases_.AwaitSettled(", "} else if (false && !leases_.AwaitSettled("),),
           (state("ProtocolRules.*"), SIM)),
    # --- names
    Mutant("names-gate", "a directory's attributes are answered when its suspect names have been taken back",
           (Edit(FS_NAMES, "CoherentFs::GetAttr(", "OCFSGW_RETURN_IF_ERROR(AwaitNames(inode, since));", "static_cast<void>(since);"),),
           (SIM,)),
    Mutant("names-revalidation", "no trust is granted in the answer to a revalidation",
           (Edit(NAMES, "bool NameTable::Offer(", "child.ino != kMissing && !child.listed && known.Has(child.ino)", "false"),),
           (Test("fusefs_test", "NameTable*"), SIM)),
    Mutant("names-one-meaning", "a trusted name is taken back before it is told with another meaning",
           (Edit(NAMES, "bool NameTable::Offer(", "known.trusted && known.trusted_child != child.ino", "false"),),
           (Test("fusefs_test", "NameTable*"),)),
    Mutant("names-revived-if-true", "names are revived only if they are true",
           (Edit(SETTLING, "bool LeaseTable::ReviveNames(", "if (!is_true(name))", "if (!is_true(name) && false)"),),
           (SIM,)),
    Mutant("names-lease", "trust is granted only under the lease still held",
           (Edit(SETTLING, "bool LeaseTable::AnswerUnder(", "Void(*inode) || !inode->state.BeginReply(epoch)",
                 "!inode->state.BeginReply(inode->state.epoch()) && epoch == 0"),),
           (SIM,)),
    Mutant("names-renamed", "a rename takes the trust along",
           (Edit("fusefs/ops_names.cc", "void Rename(", "if (context.names.Trusted(parent, name)) change.AddNames(to);", ""),),
           (Test("mount_coherence_test", "Names.Renamed*", 90, ("ocfsgw", "ocfsgwctl")),)),
    # --- listings that the kernel keeps
    Mutant("listings-taken-back", "a complete listing is taken back with the directory's names",
           (Edit(NOTIFIER, INVALIDATE, "        ForgetListing(inode);\n", ""),),
           (LISTINGS_MOUNT,)),
    Mutant("listings-lease", "a listing is completed only under the lease still held",
           (Edit("fusefs/ops_directories.cc", "void SendEnd(", "    if (context.fs.leases().AnswerUnder(directory, handle.kernel.lease, end)) return;\n",
                 "    if (directory) {\n      end();\n      return;\n    }\n"),),
           (LISTINGS_MOUNT,)),
    Mutant("listings-no-empty-answer", "an answer without entries completes a listing, so who must not complete it gets another",
           (Edit("fusefs/ops_directories.cc", "constexpr off_t kEnd", "constexpr size_t kNoEntryBytes = 8;", "constexpr size_t kNoEntryBytes = 0;"),),
           (LISTINGS_MOUNT,)),
    Mutant("listings-goes-on", "who reads the kernel's pages goes on in the same listing when they have been taken back",
           (Edit("fusefs/file_handle.h", "struct DirectoryHandle", "listing(std::move(kernel.listing))", "listing(nullptr)"),),
           (LISTINGS_MOUNT,)),
    Mutant("listings-revived", "a listing is taken back before names are found true",
           (Edit(SETTLING, "bool LeaseTable::ReviveNames(", "  kernel_.ForgetListing(directory->id());", "  "),),
           (state("ProtocolRules.*"),)),
    Mutant("listings-one-adds", "while one reads what the kernel keeps, no other does",
           (Edit(LISTINGS, "KernelListings::Open(", "known.step != Step::kNone || ", ""),),
           (LISTINGS_UNIT,)),
    Mutant("listings-not-begun", "nor before it has begun",
           (Edit(LISTINGS, "KernelListings::Open(", "!alone && !known.read", "!alone && false"),),
           (LISTINGS_UNIT,)),
    Mutant("listings-earlier-handles", "handles of an earlier lease keep others from keeping",
           (Edit(LISTINGS, "KernelListings::Open(", "known.lease != lease && known.open == 0", "known.lease != lease"),),
           (LISTINGS_UNIT,)),
    Mutant("listings-pages-of-this-lease", "pages are kept only if all were read under this lease",
           (Edit(LISTINGS, "KernelListings::Open(", "known.clean &&", "(known.clean || known.has || known.lease == lease) &&"),),
           (LISTINGS_UNIT,)),
    Mutant("listings-alone", "only who is alone from the beginning completes a listing",
           (Edit(LISTINGS, "KernelListings::OnRead(", "known->open > 1", "known->open > 1000"),),
           (LISTINGS_UNIT,)),
    Mutant("listings-from-the-beginning", "who began in the middle does not",
           (Edit(LISTINGS, "KernelListings::OnRead(", "if (from_the_beginning) known->step", "if (from_the_beginning || known->lease != 0) known->step"),),
           (LISTINGS_UNIT,)),
    Mutant("listings-again", "where a name is asked for each time, the directory is listed again",
           (Edit("fusefs/request.cc", "void ReplyLookup(", "    context.listings.ListAgain(at.directory);\n", ""),),
           (LISTINGS_MOUNT,)),
    # --- files that the kernel writes to by itself
    Mutant("passthrough-first", "a file that is open is not passed through",
           (Edit(PASSTHROUGH, "Passthrough::Open(", "known.handles == 0 && known.backing == 0", "known.backing == 0"),),
           (PASSTHROUGH_MOUNT,)),
    Mutant("passthrough-all", "while one handle is passed through, all that are opened are",
           (Edit(PASSTHROUGH, "Passthrough::Open(", "{.backing = known.backing,", "{.backing = file >= 0 ? known.backing : 0,"),),
           (PASSTHROUGH_MOUNT,)),
    Mutant("passthrough-mapped", "what may be mapped is passed through until the kernel forgets it",
           (Edit(PASSTHROUGH, "Passthrough::Open(", "known.readable |= ", "known.readable &= "),),
           (PASSTHROUGH_MOUNT,)),
    Mutant("passthrough-closed", "the kernel gives the file up when nobody uses it",
           (Edit(PASSTHROUGH, "void Passthrough::Close(", "  Drop(dropped);\n", ""),),
           (PASSTHROUGH_MOUNT,)),
    Mutant("passthrough-direct", "nor is it with O_DIRECT",
           (Edit("fusefs/ops_files.cc", "int WorthPassingTo(", "O_APPEND | O_DIRECT", "O_APPEND"),),
           (PASSTHROUGH_MOUNT,)),
    Mutant("kill-by-write", "a user's write takes set-id bits away",
           (Edit(CHANGES, "CoherentFs::Write(", "if (mode.kill_set_ids)", "if (false && mode.kill_set_ids)"),),
           (SET_IDS,)),
    Mutant("kill-by-truncate", "so does a truncation",
           (Edit(CHANGES, "CoherentFs::SetAttr(", "kill_set_ids && !attr.mode", "false && kill_set_ids"),),
           (SET_IDS,)),
    Mutant("ahead-not-stale", "nothing is looked up ahead where staleness is allowed",
           (Edit(FS_NAMES, "void CoherentFs::LookUpAhead(", "|| config.max_staleness.count() > 0", ""),),
           (state("LookUpAhead.*"),)),
    Mutant("open-files-wait", "the recall of an open file takes its pages back first",
           (Edit(TABLE, "bool LeaseTable::MayGoAtOnce(", "inode.opens.load() == 0", "true"),),
           (state("ProtocolRules.*"),)),
    Mutant("size-not-missed", "what a file has grown by is told so that the kernel cannot drop it",
           (Edit("coherence/kernel_size.h", "bool MayMiss(", "return invalidated_ && size > known_;", "return invalidated_ && size > known_ && size == 0;"),),
           (Test("mount_coherence_test", "Coherence.AReadAtTheOldEnd*", 90, ("ocfsgw", "ocfsgwctl")),)),
    Mutant("links-counted-once", "what the kernel is told of a file while a name of it is removed is dropped by it",
           (Edit("coherence/link_count.h", "bool Changing(", "removals_.load() > 0 ||", "removals_.load() > 1000 &&"),),
           (Test("mount_operations_test", "OperationsNames.TheKernelDoesNot*", 90, ("ocfsgw", "ocfsgwctl")),)),
    Mutant("refused-once", "who was refused a directory is not met by a second refusal",
           (Edit("fusefs/ops_names.cc", "void Lookup(", "if (entry.ok() && context.fs.BeingRefused(entry->inode) &&", "if (entry.ok() && context.fs.BeingRefused(entry->inode) && false &&"),),
           (Test("mount_coherence_test", "Names.Creators*", 90, ("ocfsgw", "ocfsgwctl")),)),
    Mutant("recalls-remembered", "that a writer recalled an inode is known when it is met again",
           (Edit(TABLE, "void LeaseTable::RememberRecall(", "if (!inode.recalled && !inode.hold_off.ever()) return;", "if (inode.id().ino != 0) return;"),),
           (state("CoherentFsTest.*:ProtocolRules.*"),)),
    Mutant("old-pages", "after a writer OCFS2's own pages are forgotten before the backend is read",
           (Edit(TABLE, "void LeaseTable::Acquire(", "i.forgets_due.fetch_add(1);", "i.forgets_due.fetch_add(0);"),),
           (state("ProtocolRules.*"),)),
    # --- deadlocks
    Mutant("pages-in-flight", "invalidations leave out the pages of requests in flight",
           (Edit(TABLE, "LeaseTable::Note(", "Complement(inode.in_flight)", "Complement({})"),),
           (mount("ARecallLeavesOut*"), SIM)),
    Mutant("forced-release", "a READ of a recalled inode gives the lease back first",
           (Edit(STATE, "LeaseActions LeaseState::OnWant(", "phase_ == LeasePhase::kRecalled && urgent", "false"),),
           (mount("AReadOfARecalledFile*"), state("LeaseState.*"))),
    Mutant("recall-invalidates-itself", "a recall starts its own invalidation, also while an older one runs",
           (Edit(STATE, "void LeaseState::Advance(", "Invalidate(actions);",
                 "if (invalidations_ == 0) Invalidate(actions);"),),
           (state("LeaseState.*"), SIM)),
    Mutant("own-write-releases-first", "a WRITE gives the lease back before it calls the backend",
           (Edit("coherence/coherent_changes.cc", "Result<size_t> CoherentFs::Write(",
                 "  if (mode.cached) {",
                 f"{WRITE}  if (mode.cached) {{"),
            Edit("coherence/coherent_changes.cc", "Result<size_t> CoherentFs::Write(",
                 "nullptr;\n" + WRITE, "nullptr;\n")),
           (SIM, nodes("*AWriteOfOurOwn*"))),
    Mutant("notifier-threads", "pages are taken back by the notifiers' threads only",
           (Edit(NOTIFIER, INVALIDATE, "std::function<void()> done) {",
                 "std::function<void()> done) {\n  if (true) {\n" + TAKE_BACK_HERE),),
           (mount("RecallsAreServed*:*AHandlerDoesNot*"),)),
    Mutant("handlers-do-not-notify", "a handler does not wait for pages",
           (Edit(NOTIFIER, "#include <cerrno>", "#include <cerrno>",
                 "#include <cerrno>\n#include <sys/prctl.h>\n#include <string>"),
            Edit(NOTIFIER, INVALIDATE, "std::function<void()> done) {",
                 "std::function<void()> done) {\n  char name[16] = {};\n  prctl(PR_GET_NAME, name);\n"
                 "  if (std::string(name) != \"ocfsgw-recall\") {\n" + TAKE_BACK_HERE),),
           (mount("AHandlerDoesNot*"),)),
    Mutant("settlers", "GETATTRs that wait for pages wait on threads of their own",
           (Edit("fusefs/ops_attr.cc", "void GetAttr(", "if (!leases.Settled(*inode) &&", "if (false && !leases.Settled(*inode) &&"),),
           (mount("AttributesThatWaitForPages*"),)),
    Mutant("names-without-the-directory", "no recall waits for the lock of a directory",
           (Edit(NOTIFIER, "bool KernelNotifier::ForgetAttributes(", "{\n",
                 "{\n  ForEach(inode, [](const Connection& connection, fuse_ino_t directory) {\n"
                 "    fuse_lowlevel_notify_inval_entry(connection.session, directory, \"child\", 5);\n  });\n"),),
           (mount("*WhoLooksUpAName"), mount("*WhoCreatesAName"))),
    Mutant("timer", "after half the recall deadline the lease is given back by force",
           (Edit(STATE, "LeaseActions LeaseState::OnTimer(", "epoch == epoch_", "epoch == epoch_ + 1"),),
           (state("LeaseState.*"), mount("TheTimer*"))),
    Mutant("open-locks", "the open lock is taken at the first open, the backend's file opened when a block is missing",
           (Edit("coherence/coherent_data.cc", "CoherentFs::OpenPinned(", "leases_.provider()->PinOpen(inode->node)",
                 "Result<std::unique_ptr<OpenPin>>(std::unique_ptr<OpenPin>())"),),
           (nodes("*AFileRemoved*"),)),
    Mutant("fast-files-are-open", "in a fast tree a file that was ever used counts as open",
           (Edit("fusefs/request.cc", "FileOf(fuse_req_t req,", "  context.used.Add(ino, inode);\n", ""),),
           (fast("AMappingIsCurrent*"),)),
    Mutant("all-connections", "what is taken back is taken back from all connections",
           (Edit(NOTIFIER, "void KernelNotifier::ForEach(", "visit(connection, *ino);", "return visit(connection, *ino);"),),
           (fast("AnInodeOfBothSidesIsOne"),)),
    Mutant("somebody-reads", "who gets a request while nobody waits for the next calls a parked worker",
           (Edit("fusefs/reader_gate.cc", "void ReaderGate::Withdraw() {", "  sem_post(&place->called);", "  if (place == nullptr) sem_post(&place->called);"),),
           (Test("fusefs_test", "ReaderGate.*", 120),)),
    Mutant("a-reader-that-blocks", "the only worker that waits for requests calls another before it blocks",
           (Edit("fusefs/reader_gate.cc", "void ReaderGate::HandOver() {", "  Withdraw();\n", ""),),
           (Test("fusefs_test", "ReaderGate*", 120),)),
    Mutant("blocked-by-a-thread", "who waits for another thread says so first",
           (Edit("base/mutex.h", "void Wait(Mutex& mutex)", "    AboutToBlock();\n", ""),),
           (Test("base_test", "CondVarTest.*"),)),
    Mutant("blocked-by-the-backend", "who calls the backend says so first",
           (Edit("ocfs2-backend/metered_backend.h", "coherence::Backend& Below() {", "    AboutToBlock();\n", ""),),
           (Test("backend_test", "MeteredBackend.*"),)),
    Mutant("blocked-by-the-disk", "who reads the page store's disk says so first",
           (Edit("cache/segment_file_system.cc", "rocksdb::IOStatus ReadBelow(", "    AboutToBlock();\n", ""),),
           (Test("cache_test", "PageStoreRestart.*"),)),
    Mutant("served-until-cut", "serving ends only when the connection is cut",
           (Edit("fusefs/gateway.cc", "Status Gateway::Serve() {",
                 "    for (const auto& connection : connections_) connection->session->Cut();\n", ""),),
           (mount("AStopDoesNotWait*"),)),
    # --- leases
    Mutant("recall-cancels", "a recall during the acquisition gives the lease back by the key it brings",
           (Edit(TABLE, "void LeaseTable::OnRecall(", "if (acquiring) i.key = key;", ""),),
           (state("ProtocolRules.*"), SIM)),
    Mutant("cancelled-grant", "a grant that was cancelled is given back at once",
           (Edit(STATE, "LeaseActions LeaseState::OnGranted(", "if (cancelled_) {", "if (false) {"),),
           (state("LeaseState.*"),)),
    Mutant("change-cancels", "a change of our own cancels an acquisition",
           (Edit(STATE, "LeaseActions LeaseState::OnMutationBegin(", "cancelled_ = true;", ""),),
           (state("LeaseState.*"),)),
    Mutant("no-lease-during-change", "no lease is asked for while a change of our own is under way",
           (Edit(STATE, "LeaseActions LeaseState::OnWant(", "mutations_ == 0 && ", ""),),
           (state("LeaseState.*"),)),
    Mutant("loss-during-acquire", "a lease granted while all were lost is lost, too",
           (Edit(TABLE, "void LeaseTable::Acquire(", "losses_.load() != losses", "losses_.load() < losses"),),
           (state("ProtocolRules.*"),)),
    Mutant("acquirers", "handlers wait for a lease for a bounded time",
           (Edit(TABLE, "void LeaseTable::Do(",
                 "if (todo.actions.acquire && !acquirers_.Post([this, inode] { Acquire(inode); })) {",
                 "if (todo.actions.acquire) Acquire(inode);\n  if (false && !acquirers_.Post([] {})) {"),),
           (state("ProtocolRules.*"), nodes("*AnODirect*:*RecallsAreServed*"))),
    Mutant("w-before-m", "W is taken before M",
           (Edit("ocfs2-backend/o2dlm_lease_provider.cc", "O2dlmLeaseProvider::TakeLocks(",
                 TAKE_W, ""),
            Edit("ocfs2-backend/o2dlm_lease_provider.cc", "O2dlmLeaseProvider::TakeLocks(",
                 "  ReadValueBlock(inode, locks);",
                 TAKE_W + "  ReadValueBlock(inode, locks);")),
           (Test("backend_test", "O2dlm*"), nodes("*AnODirect*"))),
    Mutant("primed-without-locks", "a value block is primed with no lock held",
           (Edit("ocfs2-backend/o2dlm_lease_provider.cc", "O2dlmLeaseProvider::AcquireSlot(", "    locks = {};\n", ""),),
           (Test("backend_test", "O2dlm*"),)),
    Mutant("hold-off", "no lease is asked for during the hold-off",
           (Edit(STATE, "LeaseActions LeaseState::OnWant(", "now >= hold_off_until_", "now >= TimePoint::min()"),),
           (state("ProtocolRules.*HoldOff*"), state("LeaseState.*"))),
    Mutant("contended-reads", "READs of a contended inode respect the hold-off, too",
           (Edit(STATE, "LeaseActions LeaseState::OnWant(", "(urgent && !contended)", "(urgent || contended)"),),
           (state("LeaseState.*:ProtocolRules.*HoldOff*"),)),
    Mutant("hold-off-grows", "the hold-off of a file that is written all the time grows",
           (Edit("coherence/hold_off.h", "void OnTaken(", "std::clamp<Duration>(2 * length_, limits.first, limits.most)",
                 "limits.first"),),
           (state("ProtocolRules.*HoldOff*"), state("HoldOff.*"))),
    # --- what is stored
    Mutant("racy-stamps", "a stamp within the guard is racy",
           (Edit(TABLE, "void LeaseTable::Acquire(",
                 "i.distrusted || i.stamp.RacyAt(clock_.WallNowNs(), provider_->StampGuardNs())",
                 "i.distrusted"),),
           (state("CoherentFsTest.*"),)),
    Mutant("racy-salt", "what is stored under a racy stamp has a salt of its lease",
           (Edit(TABLE, "void LeaseTable::Acquire(",
                 "HashMix(session_, next_salt_.fetch_add(1, std::memory_order_relaxed)) | 1", "1"),),
           (state("CoherentFsTest.*"),)),
    Mutant("salt-of-the-session", "no two runs salt alike",
           (Edit(TABLE, "      session_(", "std::random_device{}() | uint64_t{std::random_device{}()} << 32", "1"),),
           (state("ProtocolRules.*"),)),
    Mutant("distrusted-stamps", "a stamp that is unchanged after a writer's recall proves nothing",
           (Edit(TABLE, "void LeaseTable::Acquire(", "distrusted = i.recalled && stamp == i.stamp && !same_tree;", "static_cast<void>(same_tree);"),),
           (state("CoherentFsTest.*"),)),
    Mutant("distrusted-dropped", "what is stored of an inode whose stamp proves nothing is dropped",
           (Edit(TABLE, "void LeaseTable::Acquire(", "if (distrusted)", "if (distrusted && false)"),),
           (state("CoherentFsTest.*:ProtocolRules.*"),)),
    Mutant("stored-under-lease", "only what was read entirely under the lease is stored",
           (Edit("coherence/coherent_data.cc", "CoherentFs::ReadBlock(",
                 "keep = n == bytes.size() && leases_.StillHeld(*inode, view.epoch);", "keep = true;"),),
           (state("CoherentFsTest.*:ProtocolRules.*:WalkTest.*"), SIM)),
    Mutant("shared-under-lease", "a READ takes from another only what was read under its own lease",
           (Edit("coherence/shared_read.cc", "SharedRead::Join(", "read->epoch == epoch_ && ", ""),),
           (state("SharedReadTest.*"),)),
    Mutant("shared-until-recall", "a READ waits for another only while their lease is held",
           (Edit("coherence/shared_read.cc", "SharedRead::Await(", "!other->ended && StillHeld()", "!other->ended"),),
           (state("SharedReadTest.*"),)),
    Mutant("ahead-reads", "nothing is read ahead of a walk that only looks names up",
           (Edit("coherence/walk.h", "bool reads() const {", "missed_.load(std::memory_order_relaxed) >= kFiles && ", ""),),
           (state("Walk*"),)),
    Mutant("ahead-still-reads", "nothing is read ahead of a walk that no longer reads the files",
           (Edit("coherence/walk.h", "void OnFile() {", "missed_.store(0, std::memory_order_relaxed);", ""),),
           (state("Walk*"),)),
    Mutant("ahead-in-order", "nothing is read ahead of a walk that has left the order of the listing",
           (Edit("coherence/directory.cc", "Directory::Ahead(", "if (walk_) walk_->End();", ""),),
           (state("WalkTest.*"),)),
    Mutant("ahead-of-the-walk", "what was told to look up is told again when the walk begins to read",
           (Edit("coherence/directory.cc", "Directory::Ahead(", "reads && !told_to_read_ ? next_ : std::max(told_, next_)",
                 "std::max(told_, next_)"),),
           (state("WalkTest.*"),)),
    Mutant("ahead-stored", "what is stored is not read ahead",
           (Edit("coherence/coherent_data.cc", "void CoherentFs::FetchAhead(", "!store_.Wants(key, view.stamp, bytes) || ", ""),),
           (state("WalkTest.*"),)),
    Mutant("ahead-small", "what the reader has to open in any case is not opened ahead of it",
           (Edit("coherence/coherent_data.cc", "void CoherentFs::FetchAhead(", " || bytes > kBlockBytes", ""),),
           (state("WalkTest.*"),)),
    Mutant("ahead-racy", "what is stored under the racy stamp of the lease is not read ahead",
           (Edit("coherence/coherent_data.cc", "void CoherentFs::FetchAhead(", " || !store_.Wants(key, view.racy_stamp, bytes)", ""),),
           (state("WalkTest.*"),)),
    Mutant("ahead-refused", "what the store would refuse is not read ahead",
           (Edit("cache/rocksdb_page_store.cc", "bool RocksdbPageStore::Wants(", "state.policy->WouldStore(key)", "slot == nullptr"),),
           (Test("cache_test", "ReplacementEviction.*"),)),
    Mutant("ahead-shared", "what a READ is reading is not read ahead",
           (Edit("coherence/shared_read.cc", "SharedRead::TryBegin(", "StillHeld() && Join() == nullptr", "StillHeld()"),),
           (state("WalkTest.*"),)),
    Mutant("ahead-for-others", "a READ takes what is being read ahead",
           (Edit("coherence/shared_read.cc", "SharedRead::TryBegin(", "StillHeld() && Join() == nullptr",
                 "StillHeld() && inode_->block_reads.empty()"),),
           (state("WalkTest.*"),)),
    # --- sealed trees
    Mutant("sealed-recall", "the recall of a tree's root is that of all that is leased by it",
           (Edit("ocfs2-backend/o2dlm_lease_provider.cc", "void O2dlmLeaseProvider::OnEvent(", "slots_.Followers(key)",
                 "std::vector<LeaseKey>()"),),
           (Test("backend_test", "O2dlmLeaseProviderTest.*"),)),
    Mutant("sealed-hold", "the root's lock is given back when all that is leased by it has been",
           (Edit("ocfs2-backend/lease_slots.cc", "bool LeaseSlots::Follow(", "slot->hold = first->hold;", ""),),
           (Test("backend_test", "LeaseSlotsTest.*:O2dlmLeaseProviderTest.*"),)),
    Mutant("sealed-recalled", "a root is not leased anew before all that was leased by it has been given back",
           (Edit("ocfs2-backend/o2dlm_lease_provider.cc", "O2dlmLeaseProvider::Acquire(",
                 "slots_.HasLeavingFollowers(node->id())", "slots_.HasLeavingFollowers(node->id()) && false"),),
           (Test("backend_test", "O2dlmLeaseProviderTest.*"),)),
    Mutant("sealed-half", "a tree that is being sealed or unsealed is not sealed",
           (Edit("coherence/seal.h", "bool Covers(", "state == State::kSealed && ", ""),),
           (state("Seal.*"),)),
    Mutant("sealed-immutable", "a tree whose root can be changed is not sealed",
           (Edit("coherence/seal.h", "bool Covers(", "root.immutable == true && ", ""),),
           (state("Seal.*"),)),
    Mutant("sealed-last-name", "a name that comes when a tree is completed is sealed, too",
           (Edit("coherence/sealer.cc", "Status Sealer::Complete(",
                 "if (after.mtime == before.mtime && SortedNames(names) == SortedNames(names_after))",
                 "if (after.id == before.id || SortedNames(names) == SortedNames(names_after))"),),
           (Test("backend_test", "SealerTest.*"),)),
    Mutant("sealed-links", "a sealed file has no names outside of its tree",
           (Edit("coherence/sealer.cc", "Status Sealer::CheckFiles(", "now.nlink != file.names", "now.nlink < file.names"),),
           (Test("backend_test", "SealerTest.*"),)),
    Mutant("sealed-changes", "a change of a sealed inode is refused before it costs a lease",
           (Edit("coherence/mutation.h", "Status AddPart(", "sealed = leases_.Sealed(i);", "sealed = leases_.Sealed(i) && false;"),),
           (Test("cluster_sealed_tree_test", "*ChangesAreRefused*", 200, ("ocfsgw", "ocfsgwctl"), True),)),
    # --- what is written
    Mutant("append-lock", "gateways of two nodes append one after the other",
           (Edit(CHANGES, "CoherentFs::LockAppends(", "  return *std::move(lock);", "  return nullptr;"),),
           (TWO_NODES,)),
    Mutant("append-size", "an append asks for the size that it goes by",
           (Edit(CHANGES, "CoherentFs::LockAppends(", "file.Stat()", "file.Flush()"),),
           (TWO_NODES,)),
    Mutant("link-by-name", "OCFS2 is shown the name that a link is made from",
           (Edit("ocfs2-backend/posix_backend_names.cc", "PosixBackend::Link(", "if (!linked.IsErrno(ENOENT)) break;", "break;"),),
           (Test("cluster_posix_storm_test", "*linkers*", 200, ("ocfsgw", "ocfsgwctl", "name_storm"), True),)),
]
