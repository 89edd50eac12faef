mod basics;
mod faults;
mod fixture;
