# Passes bytes on, stands still at one of them, and goes on when it may. The folder that says where, and that takes the
# signs, is the first of PATH: clients get that from dbhaul, and nothing of the test's own. The argument is the file that
# says where.
use strict;
use warnings;
my ($place) = split /:/, $ENV{PATH};
open my $told, '<', "$place/$ARGV[0]" or die "$place: $!";
# Either stop after so many bytes, or keep back as many of the last.
my ($how, $count) = split / /, <$told>;
my $parent = getppid;
$SIG{PIPE} = 'DEFAULT';

sub pass {
    my $bytes = shift;
    while (length $bytes) {
        my $written = syswrite STDOUT, $bytes;
        exit 1 unless $written;
        substr $bytes, 0, $written, '';
    }
}

my $kept = '';
my $left = $count;
while ($how eq 'last' || $left > 0) {
    my $read = sysread STDIN, my $bytes, $how eq 'last' || $left > 65536 ? 65536 : $left;
    exit 1 unless defined $read;
    last if $read == 0;
    if ($how eq 'last') {
        $kept .= $bytes;
        my $now = length($kept) - $count;
        pass(substr $kept, 0, $now, '') if $now > 0;
    } else {
        pass($bytes);
        $left -= $read;
    }
}
open my $arrived, '>', "$place/arrived" or die;
close $arrived;
until (-e "$place/open") {
    select undef, undef, undef, 0.01;
    # Nobody reads any more.
    exit 1 if getppid != $parent;
}
pass($kept);
while (sysread STDIN, my $bytes, 65536) { pass($bytes) }
