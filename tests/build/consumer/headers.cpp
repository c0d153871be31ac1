// Every header of the package in one C++ program, with new and delete of mimalloc.
#include <mimalloc-new-delete.h>
#include <mimalloc.h>

#include <vector>

int main() {
  std::vector<int, mi_stl_allocator<int>> own(100, 1);
  std::vector<int> plain(100, 1);
  return mi_is_in_heap_region(own.data()) && mi_is_in_heap_region(plain.data()) ? 0 : 1;
}
