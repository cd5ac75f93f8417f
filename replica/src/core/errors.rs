//! Error codes and the exact texts that go with them.
