mod basics;
mod connections;
mod faults;
mod fixture;
mod links;
mod standstill;
mod taps;
