mod basics;
mod faults;
mod fixture;
mod links;
mod standstill;
mod taps;
