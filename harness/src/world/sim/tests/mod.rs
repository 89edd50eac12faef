mod basics;
mod faults;
mod fixture;
mod taps;
