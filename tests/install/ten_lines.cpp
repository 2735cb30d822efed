// What a user writes first, built against an installed Trefoil by run.py.
#include <trefoil/database.h>

#include <iostream>

int main() {
    auto db = trefoil::Database::open(":memory:");
    auto session = db->connect();
    auto rows = session->execute("SELECT 40 + 2 AS answer");
    if (!rows.ok()) return std::cerr << rows.status().to_string() << "\n", 1;
    std::cout << (**rows->next()).text(0, 0) << "\n";
}
