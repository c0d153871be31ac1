# A program of many texts: words are made, counted in a hash, split, joined and sorted.
use strict;
use warnings;

my ($state, $sum, %count) = (7, 0);
for my $round (1 .. 1000 * shift) {
    $state = ($state * 1103515245 + 12345) % 2**31;
    my $word = join '-', map { chr(97 + ($state >> $_) % 26) x (1 + $_ % 5) } 1 .. 6;
    $count{substr $word, 0, 9} .= $word;
    my @parts = split /-/, $word;
    $sum = ($sum * 31 + length join '', reverse @parts) % 2**31;
    %count = () if keys %count > 4000;
}
$sum = ($sum * 31 + length $count{$_}) % 2**31 for sort keys %count;
print "$sum\n";
