#![allow(dead_code)]
mod behaviours;
mod histories;
mod routing;
