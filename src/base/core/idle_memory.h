#pragma once

// Memory of a program that mostly waits. Both are hints: nothing fails.
namespace atl {

// Once, first thing in main(): one heap for all threads, and large blocks that go back to the
// kernel when they are freed. For programs whose threads wait for the kernel rather than compute.
void keep_memory_small();

// Gives back what a busy time left behind: free heap pages, and pages of code and constants, which
// the kernel maps again from its page cache at their next use. A millisecond or two; any thread,
// any time, best when nothing is under way.
void release_idle_memory();

}  // namespace atl
